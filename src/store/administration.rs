//! Changing the configuration that is there: units, hours, closed days, collections, item types, reader categories.
//! Every change ends in `bump_config_version`.

use diesel::prelude::*;

use super::error::StoreError;
use super::network::policy_columns;
use super::readers::day_text;
use super::schema::{collections, item_types, reader_categories, unit_closed_days, unit_hours, units};
use super::tx::{ReadTx, WriteTx};
use crate::domain::calendar::{ClosedRange, WeeklyHours};
use crate::domain::ids::UnitId;
use crate::domain::item::ReturnPolicy;
use crate::domain::item_type::ItemType;
use crate::domain::network::{Category, Collection};
use crate::domain::unit::Unit;

/// A collection's row: id, code, name, policy, cap, and whether its unit says it.
pub type CollectionRow = (i64, String, String, String, Option<i32>, bool);

impl ReadTx<'_> {
    /// The collections of a unit, by code.
    pub fn collections_of(&mut self, unit: UnitId) -> Result<Vec<CollectionRow>, StoreError> {
        Ok(collections::table
            .filter(collections::unit_id.eq(unit.get()))
            .order(collections::code)
            .select((
                collections::id,
                collections::code,
                collections::name,
                collections::return_policy,
                collections::float_cap,
                collections::as_unit,
            ))
            .load(self.conn)?)
    }
}

impl WriteTx<'_> {
    /// Writes what may change of a unit; its place in the tree, its hours and its closed days stay.
    pub fn update_unit(&mut self, unit: &Unit) -> Result<(), StoreError> {
        diesel::update(units::table.find(unit.id.get()))
            .set((
                units::name.eq(&unit.name),
                units::active.eq(unit.active),
                units::lends.eq(unit.lends),
                units::pickup_point.eq(unit.pickup_point),
                units::adult_only.eq(unit.adult_only),
                units::always_open.eq(unit.always_open),
                units::latitude.eq(unit.latitude),
                units::longitude.eq(unit.longitude),
                units::mobile.eq(unit.mobile),
                units::return_policy.eq(unit.return_policy.map(|policy| policy_columns(policy).0)),
                units::float_cap.eq(unit.return_policy.and_then(|policy| policy_columns(policy).1)),
            ))
            .execute(self.conn)?;
        self.bump_config_version()
    }

    /// Puts a unit, with everything below it, under another parent; answers how many units moved. Two statements, however many
    /// these are.
    pub fn move_unit(&mut self, unit: &Unit, parent: &Unit) -> Result<u64, StoreError> {
        diesel::update(units::table.find(unit.id.get()))
            .set(units::parent_id.eq(parent.id.get()))
            .execute(self.conn)?;
        let path = Unit::path_under(Some(parent), unit.id);
        let moved = super::dialect::replace_unit_paths(self.conn, &unit.path, &path)?;
        self.bump_config_version()?;
        Ok(moved as u64)
    }

    /// Gives a unit other hours, or none of its own.
    pub fn replace_hours(&mut self, unit: UnitId, hours: Option<&WeeklyHours>) -> Result<(), StoreError> {
        diesel::delete(unit_hours::table.filter(unit_hours::unit_id.eq(unit.get()))).execute(self.conn)?;
        if let Some(hours) = hours {
            self.insert_hours(unit, hours)?;
        }
        self.bump_config_version()
    }

    /// Adds closed days of a unit.
    pub fn insert_closed_days(&mut self, unit: UnitId, ranges: &[(i64, ClosedRange)]) -> Result<(), StoreError> {
        for (id, range) in ranges {
            self.insert_closed(*id, unit, range)?;
        }
        self.bump_config_version()
    }

    /// Removes the closed days of a unit with exactly these ends; answers how many rows.
    pub fn delete_closed_days(
        &mut self,
        unit: UnitId,
        first: chrono::NaiveDate,
        last: chrono::NaiveDate,
    ) -> Result<usize, StoreError> {
        let rows = unit_closed_days::table
            .filter(unit_closed_days::unit_id.eq(unit.get()))
            .filter(unit_closed_days::first_day.eq(day_text(first)))
            .filter(unit_closed_days::last_day.eq(day_text(last)));
        let deleted = diesel::delete(rows).execute(self.conn)?;
        self.bump_config_version()?;
        Ok(deleted)
    }

    /// Writes name and policy of a collection.
    pub fn update_collection(&mut self, collection: &Collection) -> Result<(), StoreError> {
        let (policy, cap) = policy_columns(collection.return_policy.unwrap_or(ReturnPolicy::Home));
        diesel::update(collections::table.find(collection.id.get()))
            .set((
                collections::name.eq(&collection.name),
                collections::return_policy.eq(policy),
                collections::float_cap.eq(cap),
                collections::as_unit.eq(collection.return_policy.is_none()),
            ))
            .execute(self.conn)?;
        self.bump_config_version()
    }

    /// Writes names and parent of an item type.
    pub fn update_item_type(&mut self, item_type: &ItemType) -> Result<(), StoreError> {
        diesel::update(item_types::table.find(item_type.id.get()))
            .set((
                item_types::parent_id.eq(item_type.parent.map(|parent| parent.get())),
                item_types::name_zh.eq(&item_type.name_zh),
                item_types::name_en.eq(&item_type.name_en),
            ))
            .execute(self.conn)?;
        self.bump_config_version()
    }

    /// Writes everything of a reader category but its code.
    pub fn update_category(&mut self, category: &Category) -> Result<(), StoreError> {
        diesel::update(reader_categories::table.find(category.id.get()))
            .set((
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
}
