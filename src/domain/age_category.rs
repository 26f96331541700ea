//! Which category a reader grows into.
//! Not for: categories that staff choose, such as those for disabled readers or institutions: age never leads there.

use super::network::Category;

/// The category of a reader who has left the years of the present one: the first of the same kind that has limits and whose limits
/// the age fits. `None` where the reader stays: still within the years, or nothing fits.
///
/// ```
/// use tongjie::domain::age_category::next_category;
/// # use tongjie::domain::ids::CategoryId;
/// # use tongjie::domain::network::Category;
/// # let of = |id: i64, code: &str, min: Option<u8>, max: Option<u8>| Category {
/// #     id: CategoryId::new(id), code: code.into(), name_zh: code.into(), name_en: code.into(), reading_only: false,
/// #     child: max == Some(13), institutional: false, min_age_years: min, max_age_years: max };
/// let all = [of(1, "adult", Some(14), None), of(2, "child", None, Some(13)), of(3, "disabled", None, None)];
/// let [adult, child, disabled] = &all;
/// let all = [adult, child, disabled];
/// assert_eq!(next_category(child, 13, &all), None);
/// assert_eq!(next_category(child, 14, &all), Some(adult));
/// assert_eq!(next_category(disabled, 99, &all), None);
/// ```
pub fn next_category<'c>(present: &Category, age_years: u32, all: &[&'c Category]) -> Option<&'c Category> {
    let has_left = present.max_age_years.is_some_and(|max| age_years > u32::from(max));
    if !has_left {
        return None;
    }
    let fits = |category: &&Category| {
        category.reading_only == present.reading_only
            && category.institutional == present.institutional
            && (category.min_age_years.is_some() || category.max_age_years.is_some())
            && category.min_age_years.is_none_or(|min| age_years >= u32::from(min))
            && category.max_age_years.is_none_or(|max| age_years <= u32::from(max))
    };
    all.iter().copied().filter(fits).min_by_key(|category| category.id)
}
