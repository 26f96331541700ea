//! Writing the configuration: units, hours, closed days, types, categories, collections, membership, rule sets.
//! Every method ends in `bump_config_version`, so that all nodes see the change in their next transaction.

use chrono::{DateTime, NaiveTime, Timelike, Utc};
use diesel::prelude::*;

use super::error::StoreError;
use super::readers::day_text;
use super::schema::{
    collections, item_types, reader_categories, rule_sets, unit_closed_days, unit_hours, unit_membership, units,
};
use super::tx::{ReadTx, WriteTx};
use crate::domain::calendar::{ClosedRange, WeeklyHours};
use crate::domain::ids::{CollectionId, UnitId};
use crate::domain::item::ReturnPolicy;
use crate::domain::item_type::ItemType;
use crate::domain::membership::Membership;
use crate::domain::network::{Category, Collection};
use crate::domain::unit::Unit;

impl ReadTx<'_> {
    /// Whether there is a network yet: a new database has none.
    pub fn has_network(&mut self) -> Result<bool, StoreError> {
        let n: i64 = units::table.count().get_result(self.conn)?;
        Ok(n > 0)
    }

    /// A collection of a unit by its code.
    pub fn collection_by_code(&mut self, unit: UnitId, code: &str) -> Result<Option<CollectionId>, StoreError> {
        let id: Option<i64> = collections::table
            .filter(collections::unit_id.eq(unit.get()).and(collections::code.eq(code)))
            .select(collections::id)
            .first(self.conn)
            .optional()?;
        Ok(id.map(CollectionId::new))
    }
}

impl WriteTx<'_> {
    /// Adds a unit with its own hours and closed days, if it has any.
    ///
    /// # Errors
    /// `Conflict` when the code is taken or the parent does not exist.
    pub fn insert_unit(&mut self, unit: &Unit, closed_ids: &mut dyn FnMut() -> i64) -> Result<(), StoreError> {
        diesel::insert_into(units::table)
            .values((
                units::id.eq(unit.id.get()),
                units::code.eq(&unit.code),
                units::name.eq(&unit.name),
                units::kind.eq(unit.kind.code()),
                units::parent_id.eq(unit.parent.map(UnitId::get)),
                units::path.eq(&unit.path),
                units::active.eq(unit.active),
                units::lends.eq(unit.lends),
                units::pickup_point.eq(unit.pickup_point),
                units::adult_only.eq(unit.adult_only),
                units::always_open.eq(unit.always_open),
                units::latitude.eq(unit.latitude),
                units::longitude.eq(unit.longitude),
            ))
            .execute(self.conn)?;
        if let Some(hours) = &unit.hours {
            self.insert_hours(unit.id, hours)?;
        }
        for range in &unit.closed {
            self.insert_closed(closed_ids(), unit.id, range)?;
        }
        self.bump_config_version()
    }

    pub(super) fn insert_hours(&mut self, unit: UnitId, hours: &WeeklyHours) -> Result<(), StoreError> {
        for (weekday, spans) in (1_i32..).zip(hours.days()) {
            for span in spans {
                diesel::insert_into(unit_hours::table)
                    .values((
                        unit_hours::unit_id.eq(unit.get()),
                        unit_hours::weekday.eq(weekday),
                        unit_hours::opens_minute.eq(minute_of(span.opens)),
                        unit_hours::closes_minute.eq(minute_of(span.closes)),
                    ))
                    .execute(self.conn)?;
            }
        }
        Ok(())
    }

    pub(super) fn insert_closed(&mut self, id: i64, unit: UnitId, range: &ClosedRange) -> Result<(), StoreError> {
        diesel::insert_into(unit_closed_days::table)
            .values((
                unit_closed_days::id.eq(id),
                unit_closed_days::unit_id.eq(unit.get()),
                unit_closed_days::first_day.eq(day_text(range.first)),
                unit_closed_days::last_day.eq(day_text(range.last)),
                unit_closed_days::reason.eq(&range.reason),
            ))
            .execute(self.conn)?;
        Ok(())
    }

    /// Adds an item type.
    pub fn insert_item_type(&mut self, item_type: &ItemType) -> Result<(), StoreError> {
        diesel::insert_into(item_types::table)
            .values((
                item_types::id.eq(item_type.id.get()),
                item_types::code.eq(&item_type.code),
                item_types::parent_id.eq(item_type.parent.map(|parent| parent.get())),
                item_types::name_zh.eq(&item_type.name_zh),
                item_types::name_en.eq(&item_type.name_en),
            ))
            .execute(self.conn)?;
        self.bump_config_version()
    }

    /// Adds a reader category.
    pub fn insert_category(&mut self, category: &Category) -> Result<(), StoreError> {
        diesel::insert_into(reader_categories::table)
            .values((
                reader_categories::id.eq(category.id.get()),
                reader_categories::code.eq(&category.code),
                reader_categories::name_zh.eq(&category.name_zh),
                reader_categories::name_en.eq(&category.name_en),
                reader_categories::reading_only.eq(category.reading_only),
                reader_categories::child.eq(category.child),
                reader_categories::institutional.eq(category.institutional),
                reader_categories::min_age_years.eq(category.min_age_years.map(i32::from)),
                reader_categories::max_age_years.eq(category.max_age_years.map(i32::from)),
            ))
            .execute(self.conn)?;
        self.bump_config_version()
    }

    /// Adds a collection.
    pub fn insert_collection(&mut self, collection: &Collection) -> Result<(), StoreError> {
        let (policy, cap) = match collection.return_policy {
            ReturnPolicy::Home => ("home", None),
            ReturnPolicy::Float => ("float", None),
            ReturnPolicy::FloatWithCap { cap } => ("float_with_cap", i32::try_from(cap).ok()),
            ReturnPolicy::Restricted => ("restricted", None),
        };
        diesel::insert_into(collections::table)
            .values((
                collections::id.eq(collection.id.get()),
                collections::unit_id.eq(collection.unit.get()),
                collections::code.eq(&collection.code),
                collections::name.eq(&collection.name),
                collections::return_policy.eq(policy),
                collections::float_cap.eq(cap),
            ))
            .execute(self.conn)?;
        self.bump_config_version()
    }

    /// Adds a membership setting.
    pub fn insert_membership(&mut self, id: i64, membership: &Membership) -> Result<(), StoreError> {
        diesel::insert_into(unit_membership::table)
            .values((
                unit_membership::id.eq(id),
                unit_membership::unit_id.eq(membership.unit.get()),
                unit_membership::item_type_id.eq(membership.item_type.map(|item_type| item_type.get())),
                unit_membership::lend_away.eq(membership.joined.lend_away),
                unit_membership::return_away.eq(membership.joined.return_away),
                unit_membership::readers_away.eq(membership.joined.readers_away),
            ))
            .execute(self.conn)?;
        self.bump_config_version()
    }

    /// Publishes a rule set: the highest version is in force. Validate it first.
    pub fn insert_rule_set(
        &mut self,
        version: i64,
        effective_from: DateTime<Utc>,
        source: &str,
        published_at: DateTime<Utc>,
    ) -> Result<(), StoreError> {
        diesel::insert_into(rule_sets::table)
            .values((
                rule_sets::version.eq(version),
                rule_sets::effective_from.eq(effective_from.timestamp_millis()),
                rule_sets::source.eq(source),
                rule_sets::published_at.eq(published_at.timestamp_millis()),
            ))
            .execute(self.conn)?;
        self.bump_config_version()
    }
}

/// Minutes after midnight; the last minute of the day closes at 1440.
pub(super) fn minute_of(time: NaiveTime) -> i32 {
    let seconds = time.num_seconds_from_midnight();
    i32::try_from(if seconds >= 86_399 { 1_440 } else { seconds / 60 }).unwrap_or(1_440)
}
