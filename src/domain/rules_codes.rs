//! Codes to ids and back, for the rows of a preset.
//! Not for: reading or writing TOML (see `rules_toml`).

use super::ids::{CategoryId, ItemTypeId, UnitId};
use super::limit::{LimitRow, LimitWhen};
use super::network::Network;
use super::policy::{RuleKey, TermsRow};
use super::rules_toml::{CodeBook, PresetError, PresetKey, PresetLimit, PresetTerms, PresetWhen};

/// Codes to ids, for one row.
pub(super) struct Resolve<'a> {
    pub(super) book: &'a CodeBook<'a>,
    pub(super) table: &'static str,
    pub(super) row: usize,
}

impl Resolve<'_> {
    fn code<T>(
        &self,
        field: &'static str,
        code: Option<&String>,
        known: &dyn Fn(&str) -> Option<T>,
    ) -> Result<Option<T>, PresetError> {
        let Some(code) = code else { return Ok(None) };
        let unknown = || PresetError::UnknownCode {
            table: self.table,
            row: self.row,
            field,
            code: code.clone(),
        };
        known(code).map(Some).ok_or_else(unknown)
    }

    pub(super) fn unit(&self, field: &'static str, code: Option<&String>) -> Result<Option<UnitId>, PresetError> {
        self.code(field, code, self.book.unit)
    }

    pub(super) fn item_type(
        &self,
        field: &'static str,
        code: Option<&String>,
    ) -> Result<Option<ItemTypeId>, PresetError> {
        self.code(field, code, self.book.item_type)
    }

    fn item_types(&self, field: &'static str, codes: &[String]) -> Result<Vec<ItemTypeId>, PresetError> {
        let ids = codes.iter().map(|code| self.item_type(field, Some(code)));
        ids.filter_map(Result::transpose).collect()
    }

    pub(super) fn key(&self, key: &PresetKey) -> Result<RuleKey, PresetError> {
        Ok(RuleKey {
            unit: self.unit("unit", key.unit.as_ref())?,
            category: self.code("category", key.category.as_ref(), self.book.category)?,
            item_type: self.item_type("item_type", key.item_type.as_ref())?,
            owner: self.unit("owner", key.owner.as_ref())?,
            channel: key.channel,
            band: key.band,
        })
    }

    pub(super) fn when(&self, when: &PresetWhen) -> Result<LimitWhen, PresetError> {
        Ok(LimitWhen {
            unit: self.unit("unit", when.unit.as_ref())?,
            category: self.code("category", when.category.as_ref(), self.book.category)?,
            item_types: self.item_types("item_types", &when.item_types)?,
            except_item_types: self.item_types("except_item_types", &when.except_item_types)?,
            owner: self.unit("owner", when.owner.as_ref())?,
            channel: when.channel,
            band: when.band,
        })
    }
}

/// Ids to codes.
pub(super) struct Names<'a> {
    pub(super) network: &'a Network,
}

impl Names<'_> {
    fn unit(&self, id: UnitId) -> String {
        self.network
            .unit(id)
            .map_or_else(|| id.to_string(), |unit| unit.code.clone())
    }

    fn category(&self, id: CategoryId) -> String {
        self.network
            .category(id)
            .map_or_else(|| id.to_string(), |category| category.code.clone())
    }

    fn item_type(&self, id: ItemTypeId) -> String {
        self.network
            .item_types()
            .get(id)
            .map_or_else(|| id.to_string(), |known| known.code.clone())
    }

    pub(super) fn terms(&self, row: &TermsRow) -> PresetTerms {
        let (key, terms) = (&row.key, &row.terms);
        PresetTerms {
            when: PresetKey {
                unit: key.unit.map(|id| self.unit(id)),
                category: key.category.map(|id| self.category(id)),
                item_type: key.item_type.map(|id| self.item_type(id)),
                owner: key.owner.map(|id| self.unit(id)),
                channel: key.channel,
                band: key.band,
            },
            lendable: terms.lendable,
            loan_days: terms.loan_days,
            renewable: terms.renewable,
            renewals: terms.renewals,
            renewal_days: terms.renewal_days,
            renew_from: terms.renew_from,
            renew_window_days: terms.renew_window_days,
            auto_renew: terms.auto_renew,
            holdable: terms.holdable,
            hold_shelf_days: terms.hold_shelf_days,
            hold_locker_days: terms.hold_locker_days,
            high_demand_holds: terms.high_demand_holds,
            high_demand_days: terms.high_demand_days,
            delivery: terms.delivery,
            holds: terms.holds,
            lending: terms.lending,
            auto_renewals: terms.auto_renewals,
            recall_holds: terms.recall_holds,
        }
    }

    pub(super) fn limit(&self, row: &LimitRow) -> PresetLimit {
        let when = &row.when;
        let types = |ids: &[ItemTypeId]| ids.iter().map(|id| self.item_type(*id)).collect();
        PresetLimit {
            when: PresetWhen {
                unit: when.unit.map(|id| self.unit(id)),
                category: when.category.map(|id| self.category(id)),
                item_types: types(&when.item_types),
                except_item_types: types(&when.except_item_types),
                owner: when.owner.map(|id| self.unit(id)),
                channel: when.channel,
                band: when.band,
            },
            kind: row.kind,
            count_in: row.count_in,
            max: row.max,
            confirm: row.confirm,
        }
    }
}
