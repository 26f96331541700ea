//! PostgreSQL sends the closing writes of an act as one statement: nobody may see the difference.

use tongjie::domain::ids::{ItemId, LoanId};
use tongjie::store::StoreError;
use tongjie::store::loans::{LoanEnd, NewLoan};
use tongjie::store::tx::WriteTx;

use crate::database::{Engine, Outside};
use crate::world::{World, noon};

/// A loan of the world's first item to its first reader.
pub fn new_loan(world: &World, outside: &mut Outside, id: i64) -> NewLoan {
    NewLoan {
        id,
        item_id: outside.number("SELECT id AS n FROM items WHERE barcode = 'I0'"),
        bib_id: outside.number("SELECT bib_id AS n FROM items WHERE barcode = 'I0'"),
        reader_id: Some(outside.number("SELECT reader_id AS n FROM cards WHERE number = 'R0'")),
        card_id: None,
        unit_id: world.main.get(),
        owner_unit_id: world.main.get(),
        item_type_id: outside.number("SELECT item_type_id AS n FROM items WHERE barcode = 'I0'"),
        category_id: outside.number("SELECT category_id AS n FROM readers LIMIT 1"),
        age_band: "18-59".into(),
        channel: "desk".into(),
        device_id: None,
        rule_id: 1,
        rules_version: 1,
        filled_hold_id: None,
        loaned_at: noon().timestamp_millis(),
        due_at: noon().timestamp_millis(),
        due_by_hand: false,
        renewals: 0,
        reading_room: false,
    }
}

async fn written<T: Send + 'static>(
    world: &World,
    work: impl FnMut(&mut WriteTx<'_>) -> Result<T, StoreError> + Send + 'static,
) -> Result<T, StoreError> {
    world.store.write(work).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_statement_after_a_closing_write_sees_it() {
    for engine in Engine::all() {
        let world = World::new(engine, 1, 1).await;
        let loan = new_loan(&world, &mut world.db.outside(), 900_001);
        let (id, item, unit) = (LoanId::new(loan.id), ItemId::new(loan.item_id), world.main);
        let seen = written(&world, move |tx| {
            tx.insert_loan(&loan)?;
            let opened = tx.open_loan(item)?.map(|loaded| loaded.loan.id);
            tx.close_loan(id, LoanEnd::Returned, noon(), unit)?;
            let closed = tx.loan_view(id)?.and_then(|view| view.closed_how);
            Ok((opened, closed, tx.open_loan(item)?.is_none()))
        })
        .await
        .expect("kept");
        assert_eq!(seen, (Some(id), Some("returned".to_owned()), true), "{engine:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn changes_of_one_row_are_carried_out_in_their_order() {
    for engine in Engine::all() {
        let world = World::new(engine, 1, 1).await;
        let mut outside = world.db.outside();
        let (first, second) = (
            new_loan(&world, &mut outside, 900_001),
            new_loan(&world, &mut outside, 900_002),
        );
        let unit = world.main;
        // Opened, closed and opened again, with nothing read in between.
        written(&world, move |tx| {
            tx.insert_loan(&first)?;
            tx.close_loan(LoanId::new(first.id), LoanEnd::Returned, noon(), unit)?;
            tx.insert_loan(&second)
        })
        .await
        .expect("kept");
        let open = outside.number("SELECT id AS n FROM loans WHERE closed_at IS NULL");
        assert_eq!(open, 900_002, "{engine:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_closing_write_that_fails_takes_the_whole_job_with_it() {
    for engine in Engine::all() {
        let world = World::new(engine, 1, 1).await;
        let mut outside = world.db.outside();
        let (first, second) = (
            new_loan(&world, &mut outside, 900_001),
            new_loan(&world, &mut outside, 900_002),
        );
        let before = outside.traces();
        for looks in [false, true] {
            let (first, second) = (first.clone(), second.clone());
            let refused = written(&world, move |tx| {
                tx.bump_config_version()?;
                tx.insert_loan(&first)?;
                tx.insert_loan(&second)?;
                // On PostgreSQL the failure shows here, or when the job ends.
                if looks {
                    tx.loan_view(LoanId::new(first.id))?;
                }
                Ok(())
            })
            .await;
            assert!(
                matches!(refused, Err(StoreError::Conflict(_))),
                "{engine:?}, {looks}: {refused:?}"
            );
            assert_eq!(outside.traces(), before, "{engine:?}: not even the first");
        }
        written(&world, move |tx| tx.insert_loan(&first))
            .await
            .expect("the next job is not harmed");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_row_that_is_not_there_cannot_be_changed_unnoticed() {
    for engine in Engine::all() {
        let world = World::new(engine, 1, 1).await;
        let unit = world.main;
        let lost = written(&world, move |tx| {
            tx.close_loan(LoanId::new(404), LoanEnd::Returned, noon(), unit)
        })
        .await;
        assert!(matches!(lost, Err(StoreError::Corrupt(_))), "{engine:?}: {lost:?}");
    }
}
