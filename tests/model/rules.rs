//! Rules as documents: what is written is read back, units' own rows reach no farther than they may, and what looks wrong
//! is told.

use chrono::DateTime;
use proptest::collection::vec;
use proptest::option::of;
use proptest::prelude::*;
use proptest::sample::{select, subsequence};
use tongjie::domain::example::{self, BRANCH, BRANCH_2, MAIN, OTHER_BRANCH, World};
use tongjie::domain::explain::{Fate, explain};
use tongjie::domain::ids::UnitId;
use tongjie::domain::limit::{CountIn, LimitKind, Usage};
use tongjie::domain::network::Network;
use tongjie::domain::own_rules::{Bound, FieldKind, TermField};
use tongjie::domain::policy::Situation;
use tongjie::domain::reader::{Channel, CreditBand};
use tongjie::domain::rules_fault::Fault;
use tongjie::domain::rules_layer::{Layer, WrittenDelegate, WrittenLimit, WrittenTerms};
use tongjie::domain::rules_layers::{Judged, Layers};
use tongjie::domain::rules_toml::{CN_CITY_DEFAULT, PresetKey, PresetLimit, PresetWhen};
use tongjie::domain::unit::UnitKind;

fn code() -> impl Strategy<Value = String> {
    // Also what TOML must quote.
    prop_oneof!["[a-z0-9_]{1,8}", Just("通\"借\\".to_owned()), Just("a\nb".to_owned())]
}

fn columns() -> impl Strategy<Value = PresetKey> {
    let words = (of(code()), of(code()), of(code()), of(code()));
    let (channel, band) = (of(select(Channel::ALL.to_vec())), of(select(CreditBand::ALL.to_vec())));
    (words, channel, band).prop_map(|((unit, category, item_type, owner), channel, band)| PresetKey {
        unit,
        category,
        item_type,
        owner,
        channel,
        band,
    })
}

fn values() -> impl Strategy<Value = Vec<(TermField, u16)>> {
    let fields = subsequence(TermField::ALL.to_vec(), 0..=TermField::ALL.len());
    (fields, vec(any::<u16>(), TermField::ALL.len())).prop_map(|(fields, numbers)| {
        let value = |(field, number): (TermField, u16)| match field.kind() {
            FieldKind::Flag | FieldKind::RenewFrom => (field, number % 2),
            FieldKind::DeliveryClock => (field, number % 3),
            FieldKind::Day => (field, number),
            FieldKind::Number(max) => (field, number % (max + 1)),
        };
        fields.into_iter().zip(numbers).map(value).collect()
    })
}

fn limit() -> impl Strategy<Value = PresetLimit> {
    let kinds = (select(LimitKind::ALL.to_vec()), select(CountIn::ALL.to_vec()));
    let types = (vec(code(), 0..3), vec(code(), 0..3));
    (columns(), types, kinds, 0..=1_000_000_000_i64, any::<bool>()).prop_map(|(key, types, kinds, max, confirm)| {
        PresetLimit {
            when: PresetWhen {
                unit: key.unit,
                category: key.category,
                item_types: types.0,
                except_item_types: types.1,
                owner: key.owner,
                channel: key.channel,
                band: key.band,
            },
            kind: kinds.0,
            count_in: kinds.1,
            max,
            confirm,
        }
    })
}

fn bound() -> impl Strategy<Value = Bound> {
    (of(0..50_i64), of(50..99_i64)).prop_map(|(min, max)| Bound { min, max })
}

/// A day has no bounds.
fn of_its_kind((field, bound): (TermField, Bound)) -> (TermField, Bound) {
    let bounded = field.kind() != FieldKind::Day;
    (field, if bounded { bound } else { Bound::default() })
}

fn delegate() -> impl Strategy<Value = WrittenDelegate> {
    let to = prop_oneof![
        select(UnitKind::ALL[1..].to_vec()).prop_map(|kind| (Some(kind), None)),
        code().prop_map(|unit| (None, Some(unit))),
    ];
    let terms = subsequence(TermField::ALL.to_vec(), 0..5);
    let limits = subsequence(LimitKind::ALL.to_vec(), 0..4);
    (to, terms, limits, vec(bound(), 9)).prop_map(|((kind, unit), mut terms, mut limits, bounds)| {
        // Tables of TOML stand in the order of their names.
        terms.sort_by_key(|field| field.code());
        limits.sort_by_key(|kind| kind.code());
        WrittenDelegate {
            row: 0,
            kind,
            unit,
            terms: terms.into_iter().zip(bounds.iter().copied()).map(of_its_kind).collect(),
            limits: limits.into_iter().zip(bounds.iter().copied()).collect(),
        }
    })
}

proptest! {
    #[test]
    fn what_is_exported_is_imported_as_it_was(
        terms in vec((columns(), values()), 0..6),
        limits in vec(limit(), 0..6),
        delegates in vec(delegate(), 0..3),
    ) {
        let layer = Layer {
            delegates: (1..).zip(delegates).map(|(row, one)| WrittenDelegate { row, ..one }).collect(),
            terms: (1..).zip(terms).map(|(row, (when, values))| WrittenTerms { row, when, values }).collect(),
            limits: (1..).zip(limits).map(|(row, limit)| WrittenLimit { row, limit }).collect(),
            credit: None,
        };
        let text = layer.to_toml();
        let read = Layer::read(&text);
        prop_assert_eq!(&read.faults, &Vec::new(), "{}", text);
        prop_assert_eq!(read.layer, layer);
    }

    #[test]
    fn no_text_makes_the_reader_panic_and_faults_name_their_place(text in "[a-z\\[\\]={}\" \n0-9.]{0,60}") {
        let read = Layer::read(&text);
        for fault in read.faults {
            prop_assert!(!fault.table.is_empty() && !fault.reason.is_empty() && !fault.expected.is_empty());
        }
    }
}

const OPEN: &str = r#"
[[delegate]]
kind = "main"
terms = { loan_days = { min = 14, max = 60 }, renewable = {}, renewals = { max = 3 } }
limits = { loans = { max = 20 } }
[[delegate]]
kind = "central"
terms = { loan_days = {} }
[[delegate]]
unit = "JC-M2"
terms = { renewals = {} }
"#;

/// The preset and more, in the example network.
fn layers(more: &str) -> Layers {
    let read = Layer::read(&format!("{CN_CITY_DEFAULT}\n{more}"));
    assert_eq!(read.faults, []);
    Layers {
        network: read.layer,
        own: Vec::new(),
    }
}

fn judged(world: &World, of: Option<UnitId>, text: &str, layers: &Layers) -> Judged {
    let at = (2, DateTime::UNIX_EPOCH);
    world
        .network
        .judge_layer(of, &Layer::read(text), layers, at)
        .with_warnings()
}

fn fields(faults: &[Fault]) -> Vec<(String, usize, String)> {
    faults
        .iter()
        .map(|one| (one.table.clone(), one.row, one.field.clone()))
        .collect()
}

fn situation(world: &World, unit: UnitId) -> Situation {
    Situation {
        unit,
        category: world.category("adult"),
        item_type: world.item_type("book"),
        owner: MAIN,
        channel: Channel::Desk,
        band: CreditBand::B,
    }
}

fn days(network: &Network, world: &World, unit: UnitId) -> u16 {
    network.winner(&situation(world, unit)).terms.loan_days
}

#[test]
fn the_preset_is_sound_and_nothing_in_it_looks_wrong() {
    let world = example::world();
    let judged = judged(&world, None, CN_CITY_DEFAULT, &Layers::default());
    assert_eq!(judged.faults, []);
    let read_elsewhere =
        ["category", "item_type", "membership"].map(|table| format!("the table {table} is not read here"));
    let reasons: Vec<&str> = judged.warnings.iter().map(|one| one.reason.as_str()).collect();
    assert_eq!(reasons, read_elsewhere);
    assert_eq!(
        judged.network.expect("valid").rules().terms,
        world.network.rules().terms
    );
}

#[test]
fn a_units_own_values_stand_in_the_place_of_the_networks_in_its_subtree_only() {
    let world = example::world();
    let own = "[[terms]]\nwhen = { unit = \"JC-M1\" }\nloan_days = 21\n\
               [[terms]]\nwhen = { unit = \"JC-M1-B1\", category = \"senior\" }\nrenewals = 3\n";
    let judged = judged(&world, Some(MAIN), own, &layers(OPEN));
    assert_eq!(judged.faults, []);
    let network = judged.network.expect("valid");
    let at = |unit| days(&network, &world, unit);
    assert_eq!((at(MAIN), at(BRANCH), at(BRANCH_2), at(OTHER_BRANCH)), (21, 21, 21, 30));
    // The nearer own row wins whole: what it does not name is the network's again.
    let senior = Situation {
        category: world.category("senior"),
        ..situation(&world, BRANCH)
    };
    let terms = network.winner(&senior).terms;
    assert_eq!((terms.loan_days, terms.renewals), (30, 3));
}

#[test]
fn of_two_rows_with_one_key_that_of_the_unit_farther_down_wins() {
    let world = example::world();
    let row = |days: u16| format!("[[terms]]\nwhen = {{ unit = \"JC-M1-B1\" }}\nloan_days = {days}\n");
    let mut layers = layers(OPEN);
    layers.own.push((example::CENTRAL, Layer::read(&row(9)).layer));
    let judged = judged(&world, Some(MAIN), &row(21), &layers);
    let network = judged.network.expect("valid");
    assert_eq!(days(&network, &world, BRANCH), 21);
    let usage = Usage {
        loans: &[],
        except_loan: None,
        session: None,
        now: world.now,
        debt_fen: 0,
        holds: 0,
        hold_types: &[],
        holds_of_bib: 0,
        holds_today: 0,
    };
    let told = explain(&network, situation(&world, BRANCH), &usage);
    let fate = |by| {
        told.candidates
            .iter()
            .find(|one| one.by == Some(by))
            .map(|one| one.fate)
    };
    assert_eq!(
        (fate(MAIN), fate(example::CENTRAL)),
        (Some(Fate::Won), Some(Fate::FartherUp))
    );
    assert_eq!(
        (told.own_fields.as_slice(), told.terms.loan_days),
        (&[TermField::LoanDays][..], 21)
    );
}

#[test]
fn a_section_for_one_unit_takes_the_place_of_its_kinds() {
    let world = example::world();
    let own = "[[terms]]\nwhen = { unit = \"JC-M2\" }\nloan_days = 21\n[[terms]]\nwhen = { unit = \"JC-M2-B1\" }\nrenewals = 2\n";
    let judged = judged(&world, Some(example::OTHER_MAIN), own, &layers(OPEN));
    assert_eq!(
        fields(&judged.faults),
        [("terms".to_owned(), 1, "loan_days".to_owned())]
    );
    assert!(judged.faults[0].expected.contains("renewals"), "{}", judged.faults[0]);
}

#[test]
fn values_that_make_no_sense_over_some_row_of_the_network_are_refused() {
    let world = example::world();
    // Periodicals renew by 0 days: they cannot become renewable without days.
    let wide = "[[terms]]\nwhen = { unit = \"JC-M1\" }\nrenewable = true\n";
    let refused = judged(&world, Some(MAIN), wide, &layers(OPEN));
    assert_eq!(
        fields(&refused.faults),
        [("terms".to_owned(), 1, "renewal_days".to_owned())]
    );
    let narrow =
        "[[terms]]\nwhen = { unit = \"JC-M1\", item_type = \"book\", category = \"adult\" }\nrenewable = true\n";
    assert_eq!(judged(&world, Some(MAIN), narrow, &layers(OPEN)).faults, []);
}

#[test]
fn what_looks_wrong_is_told_and_may_be_published() {
    let world = example::world();
    let row = |when: &str, days: u16, renewals: u16| {
        format!(
            "[[terms]]\nwhen = {{ {when} }}\nlendable = true\nloan_days = {days}\nrenewable = true\nrenewals = {renewals}\n\
             renewal_days = 7\nholdable = true\nhold_shelf_days = 7\nhold_locker_days = 3\n"
        )
    };
    let limit = |when: &str, max: u16| format!("[[limit]]\nwhen = {{ {when} }}\nkind = \"loans\"\nmax = {max}\n");
    let session = |when: &str, max: u16| format!("{}count_in = \"session\"\n", limit(when, max));
    let rows = Layer::read(CN_CITY_DEFAULT).layer;
    let (terms, limits) = (rows.terms.len(), rows.limits.len());
    let cases = [
        // The root and any unit are one and the same.
        (row("unit = \"JC\"", 30, 1), ("terms", 1, "when")),
        (row("unit = \"JC-M1\"", 0, 1), ("terms", terms + 1, "loan_days")),
        (row("unit = \"JC-M1\"", 400, 1), ("terms", terms + 1, "loan_days")),
        (row("unit = \"JC-M1\"", 30, 0), ("terms", terms + 1, "renewals")),
        (
            limit("category = \"child\", unit = \"JC-M1\"", 11),
            ("limit", limits + 1, "max"),
        ),
        (limit("", 0), ("limit", limits + 1, "max")),
        (session("category = \"child\"", 10), ("limit", limits + 1, "max")),
        (session("channel = \"desk\"", 5), ("limit", limits + 1, "count_in")),
        ("[[delegate]]\nkind = \"main\"\n".to_owned(), ("delegate", 1, "")),
    ];
    for (more, (table, row, field)) in cases {
        let judged = judged(&world, None, &format!("{CN_CITY_DEFAULT}\n{more}"), &Layers::default());
        assert_eq!(judged.faults, [], "{more}");
        let expected = (table.to_owned(), row, field.to_owned());
        assert!(
            fields(&judged.warnings).contains(&expected),
            "{expected:?} in {:?}",
            judged.warnings
        );
    }
    for sensible in [session("channel = \"kiosk\"", 5), session("category = \"child\"", 9)] {
        let judged = judged(
            &world,
            None,
            &format!("{CN_CITY_DEFAULT}\n{sensible}"),
            &Layers::default(),
        );
        assert!(
            judged.warnings.iter().all(|one| one.table != "limit"),
            "{:?}",
            judged.warnings
        );
    }
}

#[test]
fn faults_of_the_network_are_all_told_at_once() {
    let world = example::world();
    let text = "[[terms]]\nwhen = { unit = \"NO\", item_type = \"NO\" }\nlendable = true\nloan_days = 3\nrenewable = true\n\
        renewals = 1\nrenewal_days = 0\nholdable = false\nhold_shelf_days = 0\n\
        [[limit]]\nwhen = { category = \"NO\" }\nkind = \"holds\"\ncount_in = \"unit\"\nmax = 3\nconfirm = true\n";
    let judged = judged(&world, None, text, &Layers::default());
    let row = |table: &str, row, field: &str| (table.to_owned(), row, field.to_owned());
    assert_eq!(
        fields(&judged.faults),
        [
            row("terms", 1, "when.unit"),
            row("terms", 1, "when.item_type"),
            row("terms", 1, "hold_locker_days"),
            row("limit", 1, "when.category"),
            row("document", 0, ""),
            row("terms", 1, "renewal_days"),
            row("limit", 1, "confirm"),
            row("limit", 1, "count_in"),
        ]
    );
}
