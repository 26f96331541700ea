//! Tests of the pure core: scenarios as tables, which reach every refusal code, and properties over generated facts.

mod calendars;
mod decide;
mod generate;
mod holds;
mod merge_bibs;
mod outcomes;
mod policies;
mod refusals;
mod rules;
mod scene;
