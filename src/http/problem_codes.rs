//! The table of problem codes: one row per code, with its status and its titles in both languages.

use crate::usecase::consent::Fault;

macro_rules! codes {
    ($($variant:ident = $code:literal $status:literal, $en:literal, $zh:literal;)*) => {
        /// A kind of problem.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum Code {$(#[doc = $en] $variant),*}

        impl Code {
            /// Every code, in the order of the table.
            pub const ALL: &'static [Self] = &[$(Self::$variant),*];

            /// The stable word.
            pub const fn code(self) -> &'static str {
                match self { $(Self::$variant => $code),* }
            }

            /// The HTTP status.
            pub const fn status(self) -> u16 {
                match self { $(Self::$variant => $status),* }
            }

            /// The title in English.
            pub const fn title(self) -> &'static str {
                match self { $(Self::$variant => $en),* }
            }

            /// The title in Chinese.
            pub const fn title_zh(self) -> &'static str {
                match self { $(Self::$variant => $zh),* }
            }
        }
    };
}

codes! {
    MalformedRequest = "malformed_request" 400, "The request cannot be read", "请求格式有误";
    Unauthenticated = "unauthenticated" 401, "Not authenticated", "未通过身份验证";
    SecondFactorNeeded = "second_factor_needed" 401, "A one-time password is needed, too", "还须输入动态验证码";
    Forbidden = "forbidden" 403, "Not allowed here", "无此权限";
    DeviceNotApproved = "device_not_approved" 403, "The device is not approved yet", "设备尚未批准启用";
    DeviceSuspended = "device_suspended" 403, "The device is suspended", "设备已暂停使用";
    NotFound = "not_found" 404, "No such thing", "未找到";
    NoSuchRoute = "no_such_route" 404, "No such address", "无此地址";
    MethodNotAllowed = "method_not_allowed" 405, "This address does not know that method", "此地址不支持该方法";
    NotAcceptable = "not_acceptable" 406, "No form of it that is asked for", "不支持所要求的格式";
    Refused = "refused" 409, "The rules say no", "按规则不能办理";
    ConsentRequired = "consent_required" 409, "Look at the refusals before passing them", "须先查看拒绝原因";
    ConsentExpired = "consent_expired" 409, "The refusals were told too long ago", "拒绝原因的确认已过期";
    ConsentDoesNotFit = "consent_does_not_fit" 409, "Something else was told than what is found now", "确认与当前情况不符";
    AmbiguousBarcode = "ambiguous_barcode" 409, "The barcode belongs to several owners", "条码对应多个产权馆";
    WrongState = "wrong_state" 409, "Not possible in this state", "当前状态不能办理";
    BibMerged = "bib_merged" 409, "The bib was merged into another one", "书目已合并";
    DuplicateReader = "duplicate_reader" 409, "This person is registered already", "该读者已登记";
    Conflict = "conflict" 409, "Somebody else was first", "与其他操作冲突";
    AcknowledgementForged = "acknowledgement_forged" 409, "Not the receipt of this command", "回执与指令不符";
    LockerInUse = "locker_in_use" 409, "Another reader is at this screen", "该屏幕正由其他读者使用";
    LockerSessionEnded = "locker_session_ended" 409, "The session at the machine is over", "自助服务会话已结束";
    NoCompartmentFits = "no_compartment_fits" 409, "No empty compartment fits", "没有合适的空格口";
    CompartmentState = "compartment_state" 409, "The compartment's state excludes this", "格口当前状态不允许此操作";
    CompartmentTurn = "compartment_turn" 409, "Of another turn of the compartment", "格口轮次不符";
    LoadIt = "load_it" 409, "The copy belongs into a compartment", "该册应装入格口";
    PreconditionFailed = "precondition_failed" 412, "It was changed meanwhile", "内容已被他人修改";
    BodyTooLarge = "body_too_large" 413, "The request body is too large", "请求内容过大";
    HeadersTooLarge = "headers_too_large" 431, "The request line and headers are too large", "请求头过大";
    UnsupportedMediaType = "unsupported_media_type" 415, "The body must be JSON", "请求内容须为 JSON";
    InvalidFields = "invalid_fields" 422, "Some fields are not valid", "部分字段无效";
    IdempotencyKeyReused = "idempotency_key_reused" 422, "The idempotency key was used with another request", "幂等键已用于其他请求";
    PreconditionRequired = "precondition_required" 428, "Say which version you saw", "须注明所见版本";
    TooManyLogIns = "too_many_log_ins" 429, "Too many log-ins failed", "登录失败次数过多";
    TooManyRequests = "too_many_requests" 429, "Too many requests", "请求过于频繁";
    Internal = "internal" 500, "Something broke", "系统内部错误";
    Busy = "busy" 503, "Too much work is waiting", "系统繁忙";
    Unavailable = "unavailable" 503, "A part is not available", "服务暂不可用";
    TimedOut = "timed_out" 503, "It took too long", "处理超时";
}

impl Code {
    /// What is said of a consent that does not count.
    pub(super) const fn of_fault(fault: Fault) -> Self {
        match fault {
            Fault::Missing => Self::ConsentRequired,
            Fault::Expired => Self::ConsentExpired,
            Fault::DoesNotFit => Self::ConsentDoesNotFit,
        }
    }

    /// Seconds after which another try makes sense.
    pub(super) const fn retry_after(self) -> Option<&'static str> {
        match self {
            Self::Busy | Self::TooManyRequests => Some("1"),
            Self::Unavailable | Self::TimedOut => Some("2"),
            _ => None,
        }
    }
}
