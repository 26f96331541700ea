//! The templates that come with the program: for each kind of notice and each language a subject, a sentence, a line and an end,
//! put into the same frame.

use std::collections::HashMap;
use std::sync::LazyLock;

use super::Template;
use crate::domain::notice::{Language, NoticeKind};

/// Subject, first sentence, one line, last sentence.
type Words = [&'static str; 4];

static ALL: LazyLock<HashMap<(NoticeKind, Language), Template>> = LazyLock::new(|| {
    let mut all = HashMap::new();
    for kind in NoticeKind::ALL {
        all.insert((*kind, Language::Chinese), framed(chinese(*kind), Language::Chinese));
        all.insert((*kind, Language::English), framed(english(*kind), Language::English));
    }
    all
});

static NONE: Template = Template {
    subject: String::new(),
    text: String::new(),
    html: String::new(),
};

/// The built-in template.
pub fn builtin(kind: NoticeKind, language: Language) -> &'static Template {
    ALL.get(&(kind, language)).unwrap_or(&NONE)
}

fn framed([subject, first, line, last]: Words, language: Language) -> Template {
    let (greeting, portal, lang) = match language {
        Language::Chinese => ("{{ reader.name }}，您好：", "查看详情：", "zh-CN"),
        Language::English => ("Dear {{ reader.name }},", "See more:", "en"),
    };
    let link = "{% if portal_url %}";
    Template {
        subject: subject.to_owned(),
        text: format!(
            "{greeting}\n\n{first}\n\n{{% for line in lines %}}\n- {line}\n{{% endfor %}}\n\n{last}\n{link}\n{portal} {{{{ portal_url }}}}\n\
             {{% endif %}}\n{{{{ unit.name }}}}\n"
        ),
        html: format!(
            "<!doctype html>\n<html lang=\"{lang}\"><body>\n<p>{greeting}</p>\n<p>{first}</p>\n<ul>\n{{% for line in lines %}}\n<li>{line}</li>\n\
             {{% endfor %}}\n</ul>\n<p>{last}</p>\n{link}\n<p><a href=\"{{{{ portal_url }}}}\">{portal}</a></p>\n{{% endif %}}\n\
             <p>{{{{ unit.name }}}}</p>\n</body></html>\n"
        ),
    }
}

const fn chinese(kind: NoticeKind) -> Words {
    match kind {
        NoticeKind::DueSoon => [
            "您有{{ count }}册图书即将到期",
            "以下{{ count }}册图书即将到期，请按时归还或续借：",
            "《{{ line.title }}》（{{ line.barcode }}），应还日期 {{ line.due_on }}",
            "您可在任一馆归还。",
        ],
        NoticeKind::Overdue1 | NoticeKind::Overdue2 | NoticeKind::Overdue3 => chinese_overdue(kind),
        NoticeKind::HoldReady => [
            "您预约的{{ count }}册图书已到馆",
            "您预约的图书已在{{ unit.name }}等候领取：",
            "《{{ line.title }}》，{% if line.device_name %}{{ line.device_name }}{% else %}预约架 {{ line.shelf_number }} 号{% endif %}，保留至 {{ line.until }}",
            "请凭读者证领取。",
        ],
        NoticeKind::HoldExpiring => [
            "您预约的{{ count }}册图书保留期将满",
            "您预约的图书尚未领取，保留期即将结束：",
            "《{{ line.title }}》，{% if line.device_name %}{{ line.device_name }}{% else %}预约架 {{ line.shelf_number }} 号{% endif %}，保留至 {{ line.until }}",
            "逾期未取将转给下一位读者。",
        ],
        NoticeKind::ParcelSent => [
            "您的图书包裹已寄出",
            "您申请的图书已寄出：",
            "包裹 {{ line.parcel }}，共 {{ line.items }} 册{% if line.tracking_number %}，运单号 {{ line.tracking_number }}{% endif %}",
            "请留意查收。",
        ],
        NoticeKind::CreditChanged => [
            "您的信用积分有变动",
            "您的信用积分有以下变动：",
            "{{ line.points }} 分，变动后 {{ line.balance }} 分：{{ line.reason }}",
            "如有异议，可提出申诉。",
        ],
        NoticeKind::Frozen => [
            "您的借阅权限已暂停",
            "您的借阅权限已暂停：",
            "{{ line.reason }}{% if line.until %}，至 {{ line.until }}{% endif %}",
            "如有疑问，请与图书馆联系。",
        ],
        NoticeKind::Thawed => [
            "您的借阅权限已恢复",
            "您的借阅权限已恢复：",
            "{{ line.reason }}",
            "欢迎继续使用图书馆。",
        ],
        NoticeKind::CardExpiring => [
            "您的读者证即将到期",
            "您的读者证即将到期：",
            "尾号 {{ line.number_end }}，有效期至 {{ line.until }}",
            "请到任一馆办理延期。",
        ],
        NoticeKind::VerificationCode => [
            "您的验证码",
            "您正在办理图书馆业务，验证码为：",
            "{{ line.code }}（{{ line.minutes }} 分钟内有效）",
            "请勿告诉他人。如非本人操作，请忽略。",
        ],
    }
}

const fn chinese_overdue(kind: NoticeKind) -> Words {
    match kind {
        NoticeKind::Overdue1 => [
            "您有{{ count }}册图书已逾期",
            "以下{{ count }}册图书已过应还日期：",
            "《{{ line.title }}》（{{ line.barcode }}），应还日期 {{ line.due_on }}，已逾期 {{ line.days }} 天",
            "请尽快归还，您可在任一馆归还。",
        ],
        NoticeKind::Overdue2 => [
            "再次提醒：您有{{ count }}册图书逾期未还",
            "我们再次提醒您，以下{{ count }}册图书逾期未还：",
            "《{{ line.title }}》（{{ line.barcode }}），应还日期 {{ line.due_on }}，已逾期 {{ line.days }} 天",
            "请尽快归还，以免影响您的借阅。",
        ],
        _ => [
            "最后提醒：您有{{ count }}册图书逾期未还",
            "以下{{ count }}册图书长期逾期未还，这是最后一次提醒：",
            "《{{ line.title }}》（{{ line.barcode }}），应还日期 {{ line.due_on }}，已逾期 {{ line.days }} 天",
            "如已遗失，请与图书馆联系。",
        ],
    }
}

const fn english(kind: NoticeKind) -> Words {
    match kind {
        NoticeKind::DueSoon => [
            "{{ count }} of your loans are due soon",
            "These loans are due soon. Please return or renew them:",
            "{{ line.title }} ({{ line.barcode }}), due on {{ line.due_on }}",
            "You may return them at any library of the network.",
        ],
        NoticeKind::Overdue1 | NoticeKind::Overdue2 | NoticeKind::Overdue3 => english_overdue(kind),
        NoticeKind::HoldReady => [
            "{{ count }} of your holds are ready",
            "What you asked for waits for you at {{ unit.name }}:",
            "{{ line.title }}, {% if line.device_name %}in {{ line.device_name }}{% else %}number {{ line.shelf_number }} on the hold shelf{% endif %}, until {{ line.until }}",
            "Please bring your card.",
        ],
        NoticeKind::HoldExpiring => [
            "{{ count }} of your holds are kept for a short time only",
            "You have not collected these yet:",
            "{{ line.title }}, {% if line.device_name %}in {{ line.device_name }}{% else %}number {{ line.shelf_number }} on the hold shelf{% endif %}, until {{ line.until }}",
            "Afterwards they go to the next reader.",
        ],
        NoticeKind::ParcelSent => [
            "Your parcel is on its way",
            "We have sent what you asked for:",
            "Parcel {{ line.parcel }}, {{ line.items }} items{% if line.tracking_number %}, tracking number {{ line.tracking_number }}{% endif %}",
            "Please watch for it.",
        ],
        NoticeKind::CreditChanged => [
            "Your credit points have changed",
            "Your credit points have changed:",
            "{{ line.points }} points, now {{ line.balance }}: {{ line.reason }}",
            "You may appeal against an entry.",
        ],
        NoticeKind::Frozen => [
            "Your borrowing is suspended",
            "Your borrowing is suspended:",
            "{{ line.reason }}{% if line.until %}, until {{ line.until }}{% endif %}",
            "Please ask the library if this is not clear to you.",
        ],
        NoticeKind::Thawed => [
            "You can borrow again",
            "Your borrowing is no longer suspended:",
            "{{ line.reason }}",
            "Welcome back.",
        ],
        NoticeKind::CardExpiring => [
            "Your reader card expires soon",
            "Your reader card expires soon:",
            "Number ending in {{ line.number_end }}, valid until {{ line.until }}",
            "Please have it extended at any library of the network.",
        ],
        NoticeKind::VerificationCode => [
            "Your code",
            "You asked the library for a code:",
            "{{ line.code }} (good for {{ line.minutes }} minutes)",
            "Tell it to nobody. If you did not ask for it, ignore this message.",
        ],
    }
}

const fn english_overdue(kind: NoticeKind) -> Words {
    match kind {
        NoticeKind::Overdue1 => [
            "{{ count }} of your loans are overdue",
            "These loans are past their due date:",
            "{{ line.title }} ({{ line.barcode }}), due on {{ line.due_on }}, {{ line.days }} days overdue",
            "Please return them soon, at any library of the network.",
        ],
        NoticeKind::Overdue2 => [
            "Second reminder: {{ count }} of your loans are overdue",
            "We remind you again of these loans:",
            "{{ line.title }} ({{ line.barcode }}), due on {{ line.due_on }}, {{ line.days }} days overdue",
            "Please return them soon, so that you can go on borrowing.",
        ],
        _ => [
            "Last reminder: {{ count }} of your loans are overdue",
            "These loans have been overdue for long. This is the last reminder:",
            "{{ line.title }} ({{ line.barcode }}), due on {{ line.due_on }}, {{ line.days }} days overdue",
            "If one of them is lost, please tell the library.",
        ],
    }
}
