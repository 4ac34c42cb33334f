//! Ways in which a department fails to answer, and what each means for the evidence, the retry and the breaker.

use std::time::Duration;

use thiserror::Error;

use crate::domain::EvidenceStatus;

/// Why there is no reply to read. The texts go into the evidence's `detail`; none can name the firm.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub(super) enum Failure {
    /// No connection: refused, unreachable, name not found, no TLS, or not within the time for connecting.
    #[error("the department cannot be reached")]
    Connect,
    /// Not answered, or not to the end, within the time of one try.
    #[error("the department did not answer within {} ms", within.as_millis())]
    Timeout {
        /// The time that it had.
        within: Duration,
    },
    /// Reset or closed before the end of the reply.
    #[error("the department closed the connection before its reply was complete")]
    Closed,
    /// Not asked: the breaker is open.
    #[error("the department failed too often in the last seconds and is not asked for a moment")]
    Breaker,
    /// Not asked: there was no place among the calls that may be under way at once.
    #[error("so many requests wait for the department that none more could be sent in time")]
    Full,
    /// A status that says that there is no answer now, or not for us. Redirects are among them: the firm's code goes to the
    /// configured address and nowhere else.
    #[error("the department answered with status {code}{}", hint(*code))]
    Status {
        /// The HTTP status.
        code: u16,
    },
    /// A status of success that carries no whole record.
    #[error("the department answered with status {code}, which brings no record; it must be 200 or 404")]
    NoRecord {
        /// The HTTP status.
        code: u16,
    },
    /// What came is not HTTP.
    #[error("what the department sent is not HTTP; check the scheme and port of base_url")]
    NotHttp,
    /// More bytes than allowed, as declared, as sent or once decompressed.
    #[error("the department's reply is larger than {limit} bytes")]
    TooLarge {
        /// The bytes allowed.
        limit: usize,
    },
    /// The department's token address did not give a token.
    #[error("the department's token address {problem}")]
    Token {
        /// What it did.
        problem: &'static str,
    },
    /// Not asked: the token address refused, or the department refuses what it gave, a moment ago.
    #[error(
        "the department's token address {problem}; it is asked again in a few seconds, and the department not before"
    )]
    TokenPause {
        /// What it did.
        problem: &'static str,
    },
    /// The department refuses tokens, by 401 or by a code in its reply, also a new one.
    #[error("the department refuses the token, with status 401 or the code of a refused token, also a new one")]
    TokenRefused,
    /// A code in the reply that the connector knows neither as success nor as that of an unknown firm.
    #[error(
        "the department's reply carries a code that the connector's envelope names neither as success nor as absent"
    )]
    Code,
    /// The pages of a reply do not make one whole record.
    #[error("page {page} of the department's reply {problem}")]
    Paging {
        /// Which page, counted from 1.
        page: u32,
        /// What is wrong with it.
        problem: &'static str,
    },
    /// The configuration makes a request that cannot be sent, for instance a secret with a line feed inside.
    #[error("the connector makes a request that cannot be sent; see `yuxin config check`")]
    Request,
    /// A content encoding that was not asked for, or a broken one.
    #[error("the department's reply is compressed in a way that cannot be read; only gzip can")]
    Encoding,
    /// Bytes that are none of the stated or configured encoding of characters.
    #[error("the department's reply is not in the encoding of characters that it, or the connector's charset, says")]
    Charset,
}

fn hint(code: u16) -> &'static str {
    match code {
        300..=399 => " (redirects are not followed; configure the address that it leads to)",
        401 | 403 => " (access refused)",
        429 => " (asked too often)",
        _ => "",
    }
}

impl Failure {
    /// The status of the evidence.
    pub(super) fn status(self) -> EvidenceStatus {
        match self {
            Failure::NoRecord { .. }
            | Failure::NotHttp
            | Failure::TooLarge { .. }
            | Failure::Paging { .. }
            | Failure::Encoding
            | Failure::Charset => EvidenceStatus::Invalid,
            _ => EvidenceStatus::Unavailable,
        }
    }

    /// The word for the metrics.
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Failure::Connect => "connect",
            Failure::Timeout { .. } => "timeout",
            Failure::Closed => "reset",
            Failure::Breaker => "refused_by_breaker",
            Failure::Full => "full",
            Failure::Status { .. } => "status",
            Failure::TooLarge { .. } => "too_large",
            Failure::Token { .. } | Failure::TokenPause { .. } | Failure::TokenRefused => "token",
            Failure::Code => "code",
            Failure::Request => "request",
            Failure::NoRecord { .. }
            | Failure::NotHttp
            | Failure::Encoding
            | Failure::Charset
            | Failure::Paging { .. } => "invalid",
        }
    }

    /// Whether the same request may well succeed a moment later. Content does not mend itself, and a refusal stays one.
    pub(super) fn passing(self) -> bool {
        match self {
            Failure::Connect | Failure::Timeout { .. } | Failure::Closed => true,
            Failure::Status { code } => code >= 500,
            _ => false,
        }
    }

    /// Whether it speaks of a department in trouble, which the breaker should spare. Garbage does not: whoever sends it
    /// answers promptly, asking again costs little, and an open breaker would hide the garbage behind `unavailable` and
    /// withhold the good records of other firms.
    pub(super) fn counts(self) -> bool {
        self.passing() || self == Failure::Status { code: 429 } || self == Failure::TokenRefused
    }

    /// Whether it says nothing of the department itself, which was not asked or whose answer does not count: then the breaker
    /// learns nothing.
    pub(super) fn is_of_tokens(self) -> bool {
        matches!(self, Failure::Token { .. } | Failure::TokenPause { .. })
    }
}
