//! The jobs that tell: what follows from events, reminders, and the consumers of the outbox for mail, short messages and webhooks.

use std::sync::Arc;

use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::pass;
use crate::app::App;
use crate::delivery::http_messenger::HttpMessenger;
use crate::delivery::http_webhook::HttpWebhooks;
use crate::domain::schedule::{
    ANNOUNCEMENTS, CARD_REMINDERS, CREDIT_NOTICES, HOLD_REMINDERS, LOAN_REMINDERS, MAIL_OUTBOX, NOTICE_ERASURE,
    SMS_OUTBOX, WEBHOOK_OUTBOX, WECHAT_OUTBOX,
};
use crate::usecase::announce_events::AnnounceEvents;
use crate::usecase::deliver_outbox::DeliverOutbox;
use crate::usecase::erase_notices::EraseNotices;
use crate::usecase::remind_readers::{RemindOfCards, RemindOfHolds, RemindOfLoans};
use crate::usecase::send_notice::{Desk, SendMail, SendSms, SendWechat};
use crate::usecase::tell_credit::TellCredit;
use crate::usecase::tell_webhook::TellWebhooks;

/// What nobody is there to take waits in the outbox.
pub(super) fn passes(app: &Arc<App>, node: &Arc<str>, stopped: &watch::Receiver<bool>) -> Vec<JoinHandle<()>> {
    let reminders = app.config.notices.reminders();
    let erase = EraseNotices {
        days: app.config.notices.keep_days,
        application_days: app.config.privacy.application_days,
    };
    let told = DeliverOutbox(TellWebhooks {
        hooks: HttpWebhooks::new(&app.config.webhooks, app.store.clock()),
        secrets: app.derived(),
    });
    let mut tasks = vec![
        pass(app, node, ANNOUNCEMENTS, AnnounceEvents, stopped),
        pass(app, node, LOAN_REMINDERS, RemindOfLoans(reminders.clone()), stopped),
        pass(app, node, HOLD_REMINDERS, RemindOfHolds(reminders.clone()), stopped),
        pass(app, node, CARD_REMINDERS, RemindOfCards(reminders), stopped),
        pass(app, node, CREDIT_NOTICES, TellCredit, stopped),
        pass(app, node, NOTICE_ERASURE, erase, stopped),
        pass(app, node, WEBHOOK_OUTBOX, told, stopped),
    ];
    tasks.extend(senders(app, node, stopped));
    tasks
}

fn senders(app: &Arc<App>, node: &Arc<str>, stopped: &watch::Receiver<bool>) -> Vec<JoinHandle<()>> {
    let desk = || Desk {
        secrets: app.derived(),
        portal_url: app.config.notices.portal_url.clone(),
    };
    let mut tasks = Vec::new();
    if let Some(mailer) = app.mailer.clone() {
        let sent = DeliverOutbox(SendMail { desk: desk(), mailer });
        tasks.push(pass(app, node, MAIL_OUTBOX, sent, stopped));
    }
    let (config, clock) = (&app.config.messages, app.store.clock());
    if let Some(messenger) = HttpMessenger::of(config, config.sms_url.as_ref(), clock) {
        let sent = DeliverOutbox(SendSms {
            desk: desk(),
            messenger,
        });
        tasks.push(pass(app, node, SMS_OUTBOX, sent, stopped));
    }
    if let Some(messenger) = HttpMessenger::of(config, config.wechat_url.as_ref(), clock) {
        let sent = DeliverOutbox(SendWechat {
            desk: desk(),
            messenger,
        });
        tasks.push(pass(app, node, WECHAT_OUTBOX, sent, stopped));
    }
    tasks
}
