//! What a provider is asked and told about a reader at the gate, and the port to it. The adapter stands in `delivery`.

use std::future::Future;
use std::sync::Arc;

use chrono::{DateTime, Utc};

use super::deliver_outbox::{Consumer, Fault};
use super::report_admission::decide;
use super::{Result, UseCaseError};
use crate::clock::from_millis;
use crate::domain::admission::{AdmissionState, Conduct, Decision};
use crate::domain::entry_gate::{Gate, row_of};
use crate::domain::ids::ReaderId;
use crate::store::Store;
use crate::store::admissions::AdmissionRow;
use crate::store::outbox::OutboxRow;
use crate::store::tx::{ReadTx, WriteTx};

/// The word in the outbox.
pub const ADMISSION: &str = "admission";

/// What is asked for a new order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewOrder {
    pub threshold: u16,
    /// As registered, so that nobody agrees in the place of another.
    pub name: String,
}

/// How an order stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Standing {
    /// The provider has not decided yet.
    Waiting,
    Decided(Decision),
}

/// Somebody who says whether a reader's score reaches a threshold. Each call is made under a key, in bounded time; the same key acts
/// once.
pub trait Provider: Send + Sync + 'static {
    /// The name in the rules.
    fn name(&self) -> &str;

    /// False while it does not answer.
    fn is_ready(&self) -> bool;

    /// Opens an order; answers where the reader agrees.
    fn create(&self, order: &Order, new: NewOrder) -> impl Future<Output = std::result::Result<String, Fault>> + Send;

    /// The reader has agreed: how does it stand?
    fn agree(
        &self,
        order: &Order,
        at: DateTime<Utc>,
    ) -> impl Future<Output = std::result::Result<Standing, Fault>> + Send;

    /// Closes an order: the provider forgets it.
    fn settle(&self, order: &Order) -> impl Future<Output = std::result::Result<(), Fault>> + Send;

    /// Tells how a reader whom it let in keeps to the rules.
    fn report(
        &self,
        order: &Order,
        conduct: Conduct,
        at: DateTime<Utc>,
    ) -> impl Future<Output = std::result::Result<(), Fault>> + Send;
}

/// Which order a call is about, and the call's own key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Order {
    pub key: String,
    pub call_key: String,
}

/// One call.
#[derive(Debug, Clone)]
pub struct Asked {
    provider: String,
    order: Order,
    call: Call,
}

#[derive(Debug, Clone)]
enum Call {
    Create(NewOrder),
    Agree(DateTime<Utc>),
    Settle,
    Report(Conduct, DateTime<Utc>),
}

/// What came back.
#[derive(Debug)]
pub enum Answered {
    AgreeAt(String),
    /// With an id for the event.
    Decided(Decision, i64),
    Done,
}

/// The key of a call in the outbox: its order's, and what it is.
pub(super) fn call_key(order_key: &str, call: &str) -> String {
    format!("{order_key}-{call}")
}

/// The word of a call that closes an order.
pub(super) const SETTLE: &str = "settle";

/// The key of a call that closes an order of which nothing is kept here any more: it says whom to tell, too.
pub(super) fn farewell_key(order_key: &str, provider: &str) -> String {
    call_key(order_key, &format!("{SETTLE}-{provider}"))
}

/// What [`farewell_key`] says.
fn farewell(message_key: &str) -> Option<Asked> {
    let (order_key, rest) = message_key.split_once('-')?;
    let provider = rest.strip_prefix(SETTLE)?.strip_prefix('-')?;
    Some(Asked {
        provider: provider.to_owned(),
        order: Order {
            key: order_key.to_owned(),
            call_key: message_key.to_owned(),
        },
        call: Call::Settle,
    })
}

/// Asks what the outbox holds for the provider.
#[derive(Debug)]
pub struct AskProvider<P> {
    pub provider: P,
    /// For the ids of events.
    pub store: Arc<Store>,
}

impl<P: Provider> Consumer for AskProvider<P> {
    const NAME: &'static str = ADMISSION;
    type Message = Asked;
    type Receipt = Answered;

    fn is_ready(&self) -> bool {
        self.provider.is_ready()
    }

    fn prepare(tx: &mut ReadTx<'_>, row: &OutboxRow) -> Result<Option<Asked>> {
        let Some(request) = tx.admission(row.subject_id)? else {
            return Ok(farewell(&row.message_key));
        };
        let call = call_of(tx, row, &request)?;
        Ok(call.map(|call| Asked {
            provider: request.provider,
            order: Order {
                key: request.order_key,
                call_key: row.message_key.clone(),
            },
            call,
        }))
    }

    async fn send(&self, _key: &str, asked: Asked) -> std::result::Result<Answered, Fault> {
        if asked.provider != self.provider.name() {
            return Err(Fault::Later("another provider is set up".to_owned()));
        }
        let order = &asked.order;
        match asked.call {
            Call::Create(new) => self.provider.create(order, new).await.map(Answered::AgreeAt),
            Call::Agree(at) => match self.provider.agree(order, at).await? {
                Standing::Waiting => Err(Fault::Later("the provider has not decided yet".to_owned())),
                Standing::Decided(decision) => {
                    let ids = self.store.take_ids::<UseCaseError>(1).await;
                    let mut ids = ids.map_err(|error| Fault::Later(error.to_string()))?;
                    Ok(Answered::Decided(decision, ids.next()))
                }
            },
            Call::Settle => self.provider.settle(order).await.map(|()| Answered::Done),
            Call::Report(conduct, at) => self.provider.report(order, conduct, at).await.map(|()| Answered::Done),
        }
    }

    fn settle(tx: &mut WriteTx<'_>, row: &OutboxRow, answered: &Answered) -> Result<()> {
        match answered {
            Answered::AgreeAt(url) => tx.set_agree_url(row.subject_id, url)?,
            Answered::Decided(decision, event) => {
                decide(tx, row.subject_id, *decision, *event)?;
            }
            Answered::Done => {}
        }
        Ok(())
    }
}

/// What is still to be said; nothing about an order that was decided or closed meanwhile.
fn call_of(tx: &mut ReadTx<'_>, row: &OutboxRow, request: &AdmissionRow) -> Result<Option<Call>> {
    let state = request.state()?;
    let what = row.message_key.strip_prefix(&request.order_key).unwrap_or_default();
    let in_good_standing = state == AdmissionState::Passed && request.ended_at.is_none();
    let at = from_millis(row.created_at);
    Ok(match what.trim_start_matches('-').split('-').next() {
        Some("create") if state.is_open() => new_order(tx, request)?.map(Call::Create),
        Some("agree") if state.is_open() => request.agreed_at.map(from_millis).map(Call::Agree),
        Some(SETTLE) => Some(Call::Settle),
        Some(word) if in_good_standing => Conduct::from_code(word).map(|conduct| Call::Report(conduct, at)),
        _ => None,
    })
}

/// By the rules of now: nobody keeps a threshold.
fn new_order(tx: &mut ReadTx<'_>, request: &AdmissionRow) -> Result<Option<NewOrder>> {
    let network = tx.network()?;
    let Some(newcomer) = tx.newcomer(ReaderId::new(request.reader_id))? else {
        return Ok(None);
    };
    let rows = network.rules().credit.as_ref().map(|rules| rules.gates.as_slice());
    let row = row_of(
        rows.unwrap_or_default(),
        network.units(),
        newcomer.home,
        newcomer.category,
    );
    Ok(match row.map(|row| &row.gate) {
        Some(Gate::ExternalScore {
            provider, threshold, ..
        }) if *provider == request.provider => Some(NewOrder {
            threshold: *threshold,
            name: newcomer.name,
        }),
        _ => None,
    })
}
