//! What is left, as OpenAI's SDKs and boards read it: names and values of headers, durations as Go writes them.

use std::time::Duration;

use super::{Bucket, Refusal, Standing};

impl Standing {
    /// The headers `x-ratelimit-…` for what is limited by the minute.
    pub fn headers(&self) -> impl Iterator<Item = (&'static str, String)> {
        const REQUESTS: [&str; 3] =
            ["x-ratelimit-limit-requests", "x-ratelimit-remaining-requests", "x-ratelimit-reset-requests"];
        const TOKENS: [&str; 3] =
            ["x-ratelimit-limit-tokens", "x-ratelimit-remaining-tokens", "x-ratelimit-reset-tokens"];
        let meters = [(REQUESTS, self.requests), (TOKENS, self.tokens)];
        meters.into_iter().filter_map(|(names, meter)| meter.map(|meter| (names, meter))).flat_map(
            |(names, meter)| {
                let values = [meter.limit.to_string(), meter.remaining.to_string(), go_duration(meter.reset)];
                names.into_iter().zip(values)
            },
        )
    }
}

impl Refusal {
    /// Which limit, and when to come back; for people.
    pub fn words(&self) -> String {
        let (kind, limit) = (self.kind.as_str(), self.limit);
        let what = match self.bucket {
            Bucket::Requests => format!("{limit} requests a minute"),
            Bucket::Tokens => format!("{limit} tokens a minute"),
            Bucket::Concurrency => format!("{limit} requests at the same time"),
            Bucket::MonthlyTokens => format!("{limit} tokens a month"),
        };
        match (self.bucket, self.retry_after) {
            (Bucket::MonthlyTokens, _) => format!(
                "This {kind}'s budget of {what} is spent. It begins anew with the month, or the operator raises it."
            ),
            (_, Some(after)) => {
                format!("This {kind}'s limit of {what} is reached. Try again in {}.", go_duration(after))
            }
            (_, None) => format!(
                "This request alone is more than this {kind}'s limit of {what}. Shorten the prompt or lower max_tokens."
            ),
        }
    }
}

/// `6m0s`, `1.5s`, `547ms`.
fn go_duration(duration: Duration) -> String {
    let ms = duration.as_millis();
    match (ms / 60_000, ms % 60_000) {
        (0, ms) if ms < 1000 => format!("{ms}ms"),
        (0, ms) => format!("{}s", seconds(ms)),
        (minutes, ms) if minutes < 60 => format!("{minutes}m{}s", seconds(ms)),
        (minutes, ms) => format!("{}h{}m{}s", minutes / 60, minutes % 60, seconds(ms)),
    }
}

fn seconds(ms: u128) -> String {
    match ms % 1000 {
        0 => (ms / 1000).to_string(),
        part => format!("{}.{part:03}", ms / 1000).trim_end_matches('0').to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limits::{Meter, SubjectKind};

    #[test]
    fn durations_are_written_as_go_does() {
        for (ms, text) in [
            (0, "0ms"),
            (547, "547ms"),
            (1000, "1s"),
            (1500, "1.5s"),
            (59_010, "59.01s"),
            (360_000, "6m0s"),
            (3_661_000, "1h1m1s"),
        ] {
            assert_eq!(go_duration(Duration::from_millis(ms)), text);
        }
    }

    #[test]
    fn only_what_is_limited_has_headers() {
        assert_eq!(Standing::default().headers().count(), 0);
        let meter = Meter { limit: 10, remaining: 3, reset: Duration::from_secs(30) };
        let standing = Standing { tokens: Some(meter), ..Standing::default() };
        let headers: Vec<_> = standing.headers().map(|(name, value)| format!("{name}: {value}")).collect();
        assert_eq!(
            headers,
            [
                "x-ratelimit-limit-tokens: 10",
                "x-ratelimit-remaining-tokens: 3",
                "x-ratelimit-reset-tokens: 30s"
            ]
        );
    }

    #[test]
    fn a_refusal_says_which_limit_and_what_helps() {
        let refusal = |bucket, retry_after| Refusal {
            bucket,
            kind: SubjectKind::Key,
            limit: 60,
            retry_after,
            standing: Box::default(),
        };
        let soon = refusal(Bucket::Requests, Some(Duration::from_millis(1500))).words();
        assert_eq!(soon, "This key's limit of 60 requests a minute is reached. Try again in 1.5s.");
        assert!(refusal(Bucket::Tokens, None).words().contains("lower max_tokens"));
        assert!(refusal(Bucket::MonthlyTokens, None).words().contains("60 tokens a month"));
    }
}
