//! What tenants may use at most when nothing else is said of them.

use tenora_adapter_store::{Cap, LimitOverrides};

use super::{
    parse,
    reader::{Reader, Variable},
};

const REQUESTS_PER_MINUTE: Variable = Variable::new("TENORA_DEFAULT_REQUESTS_PER_MINUTE", None);
const TOKENS_PER_MINUTE: Variable = Variable::new("TENORA_DEFAULT_TOKENS_PER_MINUTE", None);
const CONCURRENT_REQUESTS: Variable = Variable::new("TENORA_DEFAULT_CONCURRENT_REQUESTS", None);
const MONTHLY_TOKENS: Variable = Variable::new("TENORA_DEFAULT_MONTHLY_TOKENS", None);
const ADAPTERS: Variable = Variable::new("TENORA_DEFAULT_ADAPTERS", None);
const ADAPTER_BYTES: Variable = Variable::new("TENORA_DEFAULT_ADAPTER_BYTES", None);
const ADAPTER_RANK: Variable = Variable::new("TENORA_DEFAULT_ADAPTER_RANK", None);

pub(super) const VARIABLES: &[&Variable] = &[
    &REQUESTS_PER_MINUTE,
    &TOKENS_PER_MINUTE,
    &CONCURRENT_REQUESTS,
    &MONTHLY_TOKENS,
    &ADAPTERS,
    &ADAPTER_BYTES,
    &ADAPTER_RANK,
];

/// Largest limit, so that every client's numbers hold it exactly.
const MOST: u64 = 1 << 53;

/// Unset is no limit.
pub(super) fn read(reader: &mut Reader) -> LimitOverrides {
    let mut number = |variable| reader.optional(variable, |text| parse::number(text, 0..=MOST)).map(Cap::At);
    LimitOverrides {
        requests_per_minute: number(&REQUESTS_PER_MINUTE),
        tokens_per_minute: number(&TOKENS_PER_MINUTE),
        concurrent_requests: number(&CONCURRENT_REQUESTS),
        monthly_tokens: number(&MONTHLY_TOKENS),
        adapters: number(&ADAPTERS),
        adapter_rank: number(&ADAPTER_RANK),
        adapter_bytes: reader.optional(&ADAPTER_BYTES, parse::bytes).map(Cap::At),
    }
}
