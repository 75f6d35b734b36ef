//! The questions that are refused, what the store is asked for the others, and the answer as clients see it.

use tenora_adapter_store::{UsageBucket as Bucket, UsagePage as Page};

use super::*;

const BASE: &str = "tiny-llama";
/// 2026-03-01, 12:30:15 UTC.
const NOON: i64 = 1_772_368_215;

fn ask(text: &str) -> Result<UsageQuery, String> {
    let pairs = Pairs::from_query(text).expect("pairs");
    let asked = usage::UsageQuery::read(&pairs).and_then(|asked| {
        only_for_the_operator(&asked)?;
        query(&asked, BASE)
    });
    asked.map_err(|error| format!("{:?}: {error}", error.param().unwrap_or_default()))
}

#[test]
fn a_question_reaches_the_store_in_its_words() {
    let asked = ask(&format!(
        "start_time={NOON}&end_time={}&bucket_width=1h&group_by=api_key_id,model&models={BASE},a,b@7&limit=168",
        NOON + 86_400
    ));
    let asked = asked.expect("right");
    assert_eq!((asked.start, asked.end, asked.width), (NOON, NOON + 86_400, BucketWidth::Hour));
    assert_eq!(asked.group_by, [GroupBy::Key, GroupBy::Model]);
    let name = |text| AdapterName::parse(text).expect("a name");
    let seven = VersionNumber::parse("7").expect("a number");
    let models = [ModelFilter::Base, ModelFilter::Adapter(name("a")), ModelFilter::Version(name("b"), seven)];
    assert_eq!(asked.models, models);
    for (width, usual) in [("1m", 60), ("1h", 24), ("1d", 7)] {
        assert_eq!(ask(&format!("start_time={NOON}&bucket_width={width}")).expect("right").limit, usual);
    }
    let day = NOON - NOON % 86_400;
    let next = ask(&format!("start_time={NOON}&page=page_{}", day + 86_400)).expect("right");
    assert_eq!(next.start, day + 86_400);
}

#[test]
fn minutes_that_were_deleted_are_refused_rather_than_told_as_empty() {
    let ago = |seconds: i64| OffsetDateTime::now_utc().unix_timestamp() - seconds;
    let told = |width: &str, start: i64| {
        let query = ask(&format!("start_time={start}&bucket_width={width}")).expect("right");
        still_there(&query, Duration::from_secs(35 * 86_400)).map_err(|error| error.to_string())
    };
    assert_eq!(told("1m", ago(35 * 86_400 - 60)), Ok(()));
    assert_eq!(told("1h", ago(400 * 86_400)), Ok(()));
    let error = told("1m", ago(35 * 86_400 + 60)).expect_err("deleted");
    assert!(error.contains("35 days") && error.contains("bucket_width=1h"), "{error}");
}

#[test]
fn what_cannot_be_answered_is_refused_with_what_would_be_right() {
    let wrong = [
        "end_time=1772368215",
        "start_time=99999999999",
        "limit=0",
        "limit=32",
        "bucket_width=1m&limit=1441",
        "page=page_1772368215",
        "page=page_86400",
        "group_by=project_id",
        "project_ids=acme",
        "api_key_ids=00000000000000000000000000000000,tk_x",
        "models=a,Not a Model",
        "models=a@latest",
    ];
    let told = wrong.iter().map(|wrong| {
        let start =
            if wrong.starts_with("start_time") { String::new() } else { format!("start_time={NOON}&") };
        ask(&format!("{start}{wrong}")).expect_err(wrong)
    });
    insta::assert_snapshot!(told.collect::<Vec<_>>().join("\n"));
}

#[test]
fn an_answer_has_the_shape_of_openais() {
    let sum = |model| UsageSum {
        tenant: Some(TenantSlug::parse("acme").expect("a slug")),
        key: Some(KeyId::parse(&"0".repeat(32)).expect("an id")),
        model: Some(model),
        others: false,
        requests: 2,
        failed: 1,
        input_tokens: 30,
        cached_tokens: 16,
        output_tokens: 5,
    };
    let version = UsedModel::Version(
        AdapterName::parse("ticket-triage").expect("a name"),
        VersionNumber::parse("3").expect("a number"),
    );
    let plain = UsageSum { tenant: None, key: None, model: None, others: true, ..sum(UsedModel::Base) };
    let buckets = vec![
        Bucket { start: 0, end: 3600, sums: vec![sum(UsedModel::Base), sum(version), plain] },
        Bucket { start: 3600, end: 7200, sums: Vec::new() },
    ];
    insta::assert_json_snapshot!(shape(Page { buckets, next: Some(7200) }, BASE));
}
