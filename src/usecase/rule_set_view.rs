//! A whole set of rules as the API shows it, with codes in place of ids.

use super::explain_view::{RuleKeyView, key_view, terms_view};
use super::rule_view::{
    DelegationView, FaultView, FieldValueView, LimitRowView, OpenView, OwnTermsView, RulePartView, RuleSetLine,
    RuleSetView, SetAsideView, TermsRowView,
};
use super::view::unit_code;
use crate::domain::ids::{CategoryId, ItemTypeId, RuleId, UnitId};
use crate::domain::limit::LimitRow;
use crate::domain::network::Network;
use crate::domain::own_rules::{Bound, Delegation, OpenTo};
use crate::domain::policy::RuleSet;
use crate::domain::reader::{Channel, CreditBand};
use crate::store::rule_sets::Change;

impl RuleSetView {
    /// The rules of a network, with the changes they are made up of.
    pub fn of(line: RuleSetLine, parts: &[Change], network: &Network) -> Self {
        let rules: &RuleSet = network.rules();
        let unit = |unit: UnitId| unit_code(network, unit.get());
        let part = |part: &Change| RulePartView {
            of_unit: part.unit_id.map(|unit| unit_code(network, unit)),
            version: part.version,
        };
        let terms = rules.terms.iter().map(|row| TermsRowView {
            rule_id: row.id.get(),
            key: key_view(&row.key, network),
            terms: terms_view(&row.terms),
        });
        let own = rules.own.iter().map(|row| OwnTermsView {
            rule_id: row.id.get(),
            of_unit: unit(row.by),
            key: key_view(&row.key, network),
            values: row
                .values
                .iter()
                .map(|(field, value)| FieldValueView {
                    field: field.code().to_owned(),
                    value: *value,
                    day: field.day(*value),
                })
                .collect(),
        });
        let whose = |id: RuleId| rules.whose.get(&id).map(|by| unit(*by));
        Self {
            line,
            parts: parts.iter().map(part).collect(),
            terms: terms.collect(),
            own_terms: own.collect(),
            limits: rules
                .limits
                .iter()
                .map(|row| limit_row_view(row, whose(row.id), network))
                .collect(),
            delegations: rules
                .delegations
                .iter()
                .map(|one| delegation_view(one, network))
                .collect(),
            set_aside: rules
                .set_aside
                .iter()
                .map(|one| SetAsideView {
                    of_unit: unit(one.by),
                    fault: FaultView::from(&one.fault),
                })
                .collect(),
        }
    }
}

fn limit_row_view(row: &LimitRow, of_unit: Option<String>, network: &Network) -> LimitRowView {
    let unit = |id: UnitId| unit_code(network, id.get());
    let category = |id: CategoryId| network.category(id).map(|category| category.code.clone());
    let types = |ids: &[ItemTypeId]| {
        let known = ids.iter().filter_map(|id| network.item_types().get(*id));
        known.map(|one| one.code.clone()).collect()
    };
    LimitRowView {
        rule_id: row.id.get(),
        of_unit,
        key: RuleKeyView {
            unit_code: row.when.unit.map(unit),
            category: row.when.category.and_then(category),
            item_type: None,
            owner_unit_code: row.when.owner.map(unit),
            channel: row.when.channel.map(|one: Channel| one.code().to_owned()),
            credit_band: row.when.band.map(|one: CreditBand| one.code().to_owned()),
        },
        item_types: types(&row.when.item_types),
        except_item_types: types(&row.when.except_item_types),
        kind: row.kind.code().to_owned(),
        count_in: row.count_in.code().to_owned(),
        max: row.max,
        confirmable: row.confirm,
    }
}

fn delegation_view(one: &Delegation, network: &Network) -> DelegationView {
    let (unit_kind, of_unit) = match one.to {
        OpenTo::Kind(kind) => (Some(kind.code().to_owned()), None),
        OpenTo::Unit(unit) => (None, Some(unit_code(network, unit.get()))),
    };
    let open = |code: &str, bound: Bound| OpenView {
        field: code.to_owned(),
        min: bound.min,
        most: bound.max,
    };
    DelegationView {
        unit_kind,
        of_unit,
        open_terms: one
            .terms
            .iter()
            .map(|(field, bound)| open(field.code(), *bound))
            .collect(),
        open_limits: one
            .limits
            .iter()
            .map(|(kind, bound)| open(kind.code(), *bound))
            .collect(),
    }
}
