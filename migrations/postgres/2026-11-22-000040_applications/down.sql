DROP TABLE staff_contacts;
DROP INDEX readers_by_birth;
DROP TABLE card_applications;
DROP TABLE unit_self_registration;
