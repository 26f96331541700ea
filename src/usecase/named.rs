//! Things of the configuration that requests name by code. A code that names nothing is a wrong field, not a missing page.

use super::error::FieldError;
use crate::domain::item_type::ItemType;
use crate::domain::network::{Category, Network};
use crate::domain::unit::Unit;

/// Collects every wrong field of a request, so that they are told at once.
#[derive(Debug, Default)]
pub(super) struct Wrong(Vec<FieldError>);

impl Wrong {
    pub(super) fn say(&mut self, field: impl Into<std::borrow::Cow<'static, str>>, reason: impl Into<String>) {
        self.0.push(FieldError::new(field, reason));
    }

    /// # Errors
    /// `Invalid` when anything was wrong.
    pub(super) fn check(self) -> super::Result<()> {
        if self.0.is_empty() {
            Ok(())
        } else {
            Err(super::UseCaseError::Invalid(self.0))
        }
    }

    pub(super) fn unit<'n>(&mut self, network: &'n Network, field: &'static str, code: &str) -> Option<&'n Unit> {
        let unit = network.units().by_code(code);
        if unit.is_none() {
            self.say(field, "no unit has this code");
        }
        unit
    }

    pub(super) fn item_type<'n>(
        &mut self,
        network: &'n Network,
        field: &'static str,
        code: &str,
    ) -> Option<&'n ItemType> {
        let found = network.item_types().by_code(code);
        if found.is_none() {
            let known: Vec<&str> = network.item_types().iter().map(|one| one.code.as_str()).collect();
            self.say(
                field,
                format!("no item type has this code; there are {}", known.join(", ")),
            );
        }
        found
    }

    pub(super) fn category<'n>(
        &mut self,
        network: &'n Network,
        field: &'static str,
        code: &str,
    ) -> Option<&'n Category> {
        let found = network.category_by_code(code);
        if found.is_none() {
            let known: Vec<&str> = network.categories().iter().map(|one| one.code.as_str()).collect();
            self.say(
                field,
                format!("no category has this code; there are {}", known.join(", ")),
            );
        }
        found
    }
}
