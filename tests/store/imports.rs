//! What an import remembers of a reader is forgotten with the reader.

use tongjie::domain::ids::ReaderId;
use tongjie::store::StoreError;
use tongjie::store::imports::{BatchRow, ImportRow};

use crate::database::Engine;
use crate::world::World;

fn batch(id: i64, kind: &str, owner: i64) -> BatchRow {
    BatchRow {
        id,
        kind: kind.to_owned(),
        owner_unit_id: owner,
        file_name: "readers.csv".to_owned(),
        created_at: 0,
        undone_at: None,
        made: 0,
    }
}

fn row(batch_id: i64, row_number: i64, subject_id: i64, old_id: &str) -> ImportRow {
    ImportRow {
        batch_id,
        row_number,
        subject_id,
        old_id: Some(old_id.to_owned()),
        memo: "{}".to_owned(),
    }
}

#[tokio::test]
async fn the_names_of_an_erased_reader_in_other_systems_are_forgotten() {
    for engine in Engine::all() {
        let world = World::new(engine, 1, 1).await;
        let owner = world.main.get();
        let fill = move |tx: &mut tongjie::store::tx::WriteTx<'_>| {
            for (id, kind) in [(901, "readers"), (902, "readers"), (903, "items")] {
                tx.insert_import_batch(&batch(id, kind, owner))?;
            }
            // The same number may be a reader's in one batch and an item's in another.
            tx.insert_import_rows(901, &[row(901, 2, 5_001, "A1"), row(901, 3, 5_002, "A2")])?;
            tx.insert_import_rows(902, &[row(902, 2, 5_001, "B1")])?;
            tx.insert_import_rows(903, &[row(903, 2, 5_001, "C1")])
        };
        world.store.write(fill).await.expect("filled");
        let forget = |reader: i64| world.store.write(move |tx| tx.forget_old_ids(ReaderId::new(reader)));
        assert_eq!(
            forget(5_001).await.expect("forgotten"),
            2,
            "{engine:?}: of both batches of readers"
        );
        assert_eq!(forget(5_001).await.expect("nothing is left"), 0, "{engine:?}");
        let left = |batch: i64| {
            let read = world.store.read(move |tx| tx.import_rows(batch, 0, 10));
            async move {
                let rows: Result<Vec<ImportRow>, StoreError> = read.await;
                rows.expect("rows")
                    .into_iter()
                    .map(|row| row.old_id)
                    .collect::<Vec<_>>()
            }
        };
        assert_eq!(left(901).await, [None, Some("A2".to_owned())], "{engine:?}");
        assert_eq!(
            left(902).await,
            [None],
            "{engine:?}: the row stays, so that it can be undone"
        );
        assert_eq!(left(903).await, [Some("C1".to_owned())], "{engine:?}");
    }
}
