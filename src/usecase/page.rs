//! One page of a list: what was asked for and what came. The cursor is the id of the last row; adapters make it opaque.

/// Which page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PageRequest {
    /// The id of the last row of the page before.
    pub after: Option<i64>,
    pub limit: u16,
}

/// Some rows, and where the next page begins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page<T> {
    pub items: Vec<T>,
    /// `None` on the last page.
    pub next: Option<i64>,
}

impl PageRequest {
    /// For lists in ascending order of ids.
    pub fn after_id(self) -> i64 {
        self.after.unwrap_or(0)
    }

    /// For lists in descending order of ids.
    pub fn before_id(self) -> i64 {
        self.after.unwrap_or(i64::MAX)
    }

    /// Rows to read: one more than to answer, which tells whether there is a next page.
    pub fn fetch(self) -> i64 {
        i64::from(self.limit) + 1
    }

    /// Cuts what was read by `fetch` to a page.
    pub fn cut<T>(self, mut rows: Vec<T>, id: impl Fn(&T) -> i64) -> Page<T> {
        let limit = usize::from(self.limit);
        let more = rows.len() > limit;
        rows.truncate(limit);
        let next = if more { rows.last().map(id) } else { None };
        Page { items: rows, next }
    }
}

impl<T> Page<T> {
    /// The page with its rows in another shape.
    pub fn map<U>(self, shape: impl FnMut(T) -> U) -> Page<U> {
        Page {
            items: self.items.into_iter().map(shape).collect(),
            next: self.next,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_knows_whether_another_follows() {
        let asked = PageRequest { after: None, limit: 2 };
        let page = asked.cut(vec![5, 7, 9], |id| *id);
        assert_eq!(
            page,
            Page {
                items: vec![5, 7],
                next: Some(7)
            }
        );
        assert_eq!(
            asked.cut(vec![9, 11], |id| *id),
            Page {
                items: vec![9, 11],
                next: None
            }
        );
        assert_eq!(asked.fetch(), 3);
    }
}
