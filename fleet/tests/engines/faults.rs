//! A fleet of (stand-ins for) vLLM servers: what happens to adapters and answers when servers are slow, refuse, lie, lose what
//! they had, and die.

use std::time::{Duration, Instant};

use futures_util::{StreamExt, future::join_all};
use tenora_engine::{Engine, EngineError, Event, lora::codes};
use tenora_fleet::{ServerState, ServerUrl};
use tenora_tests::{repository, vllm::StandIn};

use crate::asking::{ADAPTERS, QUESTIONS, adapter, answer, ask, fleet, long, reference, rejection, settings};

/// Longer than a load that failed is not tried again.
const REST: Duration = Duration::from_millis(100);

fn name(adapter_name: &str) -> String {
    format!("tenora-{}", hex(&adapter(adapter_name).digest))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn stand_in() -> StandIn {
    StandIn::start("127.0.0.1:0", None)
}

async fn text(engine: &Engine, adapter: Option<&str>) -> Result<String, EngineError> {
    answer(engine, ask(adapter, QUESTIONS[0], 1)).await.map(|whole| whole.texts.concat())
}

/// Asks until the check holds, as servers are looked at once a second.
async fn eventually(mut check: impl AsyncFnMut() -> bool, what: &str) {
    let begun = Instant::now();
    while !check().await {
        assert!(begun.elapsed() < Duration::from_secs(15), "{what}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn names_and_salts_tell_nothing_of_tenants() {
    let (folder, servers) = (tempfile::tempdir().expect("a folder"), [stand_in()]);
    let (engine, _fleet) = fleet(settings(&servers, folder.path(), |_| ())).await;
    for tenant in [1, 2, 1] {
        answer(&engine, ask(Some(ADAPTERS[0]), QUESTIONS[0], tenant)).await.expect("an answer");
    }
    let seen = servers[0].seen();
    assert_eq!(seen.loads, [name(ADAPTERS[0])], "once, by its digest");
    // The two trials, and three requests.
    let [one, two, again] = [2, 3, 4].map(|at| seen.salts[at].clone());
    assert!(one.len() == 64 && one != two && one == again, "{:?}", seen.salts);
    let bodies = seen.bodies.concat();
    for word in ["ticket", "triage", "acme"] {
        assert!(!bodies.contains(&format!("\"{word}")), "{word}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn more_adapters_than_places_take_turns_and_all_are_answered() {
    let (folder, servers) = (tempfile::tempdir().expect("a folder"), [stand_in()]);
    let (engine, _fleet) =
        fleet(settings(&servers, folder.path(), |settings| settings.adapters_per_server = 1)).await;
    let cases: Vec<_> = ADAPTERS.iter().map(|name| (Some(*name), QUESTIONS[0])).collect();
    let expected = reference(&cases).await;
    for _ in 0..3 {
        let told = join_all(ADAPTERS.iter().map(|name| text(&engine, Some(name)))).await;
        assert_eq!(told.into_iter().map(|text| text.expect("an answer")).collect::<Vec<_>>(), expected);
    }
    let seen = servers[0].seen();
    assert_eq!(seen.most_adapters, 1, "never more than it has places for");
    assert!(seen.loads.len() >= 7, "{}", seen.loads.len());
    assert!(engine.stats().adapters.evictions.idle >= 6);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_serves_the_base_instead_is_found_out() {
    let (folder, servers) = (tempfile::tempdir().expect("a folder"), [stand_in()]);
    let (engine, _fleet) = fleet(settings(&servers, folder.path(), |_| ())).await;
    servers[0].faults(|faults| faults.serve_the_base = true);
    let refused = rejection(text(&engine, Some(ADAPTERS[0])).await);
    assert_eq!(refused.code, codes::DOES_NOTHING, "{refused:?}");
    assert!(servers[0].adapters().is_empty(), "what is not what it is called does not stay");
    servers[0].faults(|faults| faults.serve_the_base = false);
    tokio::time::sleep(REST).await;
    text(&engine, Some(ADAPTERS[0])).await.expect("it does now what it is asked");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn loads_that_are_refused_or_fail_or_hang_are_told_or_done_elsewhere() {
    let (folder, servers) = (tempfile::tempdir().expect("a folder"), [stand_in(), stand_in()]);
    let (engine, _fleet) = fleet(settings(&servers, folder.path(), |settings| {
        settings.load_timeout = Duration::from_millis(300);
    }))
    .await;
    let all = |change: fn(&mut tenora_tests::vllm::Faults)| {
        servers.iter().for_each(|server| {
            server.faults(|faults| {
                *faults = tenora_tests::vllm::Faults::default();
                change(faults);
            })
        });
    };
    all(|faults| faults.refuse_loads = Some("LoRA rank 64 is greater than max_lora_rank 16.".to_owned()));
    let refused = rejection(text(&engine, Some(ADAPTERS[0])).await);
    assert_eq!(refused.code, codes::ENGINE_REFUSED, "{refused:?}");
    assert!(refused.message.contains("max_lora_rank 16"), "{refused:?}");
    all(|faults| faults.slow_loads = Some(Duration::from_secs(30)));
    tokio::time::sleep(REST).await;
    let begun = Instant::now();
    let refused = text(&engine, Some(ADAPTERS[0])).await;
    assert!(matches!(refused, Err(EngineError::Unavailable(_))), "{refused:?}");
    assert!(begun.elapsed() < Duration::from_secs(3), "both were given their time, and no more");
    all(|_| ());
    tokio::time::sleep(REST).await;
    let home = text(&engine, Some(ADAPTERS[1])).await.expect("an answer");
    let at = servers.iter().position(|server| !server.adapters().is_empty()).expect("it is somewhere");
    // Another adapter whose first server fails is loaded by the other.
    servers[at].faults(|faults| faults.fail_loads = true);
    servers[at].faults(|faults| faults.status = Some(503));
    assert_eq!(text(&engine, Some(ADAPTERS[1])).await.expect("an answer"), home);
    assert_eq!(servers[1 - at].adapters(), [name(ADAPTERS[1])]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_begins_anew_in_the_middle_ends_its_answers_and_gets_everything_again() {
    let (folder, mut servers) = (tempfile::tempdir().expect("a folder"), [stand_in()]);
    let (engine, _fleet) = fleet(settings(&servers, folder.path(), |_| ())).await;
    let before = text(&engine, Some(ADAPTERS[0])).await.expect("an answer");
    servers[0].faults(|faults| faults.pause = Duration::from_millis(20));
    let mut stream = engine.generate(long(Some(ADAPTERS[0]), 500)).await.expect("a stream");
    for _ in 0..3 {
        stream.next().await.expect("an event").expect("no error yet");
    }
    servers[0].kill().await;
    let mut last = None;
    while let Some(event) = stream.next().await {
        last = Some(event);
    }
    assert!(matches!(last, Some(Err(EngineError::Unavailable(_)))), "{last:?}");
    let refused = text(&engine, Some(ADAPTERS[0])).await;
    assert!(matches!(refused, Err(EngineError::Unavailable(_))), "{refused:?}");
    servers[0].faults(|faults| faults.pause = Duration::ZERO);
    servers[0].start_again();
    eventually(
        async || text(&engine, Some(ADAPTERS[0])).await.is_ok_and(|text| text == before),
        "it is back",
    )
    .await;
    assert_eq!(servers[0].seen().loads, [name(ADAPTERS[0]), name(ADAPTERS[0])]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_adapter_that_a_server_lost_is_loaded_again_unseen() {
    let (folder, servers) = (tempfile::tempdir().expect("a folder"), [stand_in()]);
    let (engine, _fleet) = fleet(settings(&servers, folder.path(), |_| ())).await;
    let before = text(&engine, Some(ADAPTERS[2])).await.expect("an answer");
    servers[0].unload_all();
    assert_eq!(text(&engine, Some(ADAPTERS[2])).await.expect("an answer"), before);
    assert_eq!(servers[0].seen().loads.len(), 2);
    // What forgets everything at once is no server that can be used.
    servers[0].faults(|faults| faults.forget = true);
    servers[0].unload_all();
    let refused = text(&engine, Some(ADAPTERS[2])).await;
    assert!(matches!(refused, Err(EngineError::Unavailable(_))), "{refused:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_name_that_was_there_before_is_not_trusted() {
    let (folder, servers) = (tempfile::tempdir().expect("a folder"), [stand_in()]);
    // Another's weights under the name of the first demo adapter.
    servers[0].lend(&name(ADAPTERS[0]), repository().join("demo/adapters").join(ADAPTERS[1]));
    let (engine, _fleet) = fleet(settings(&servers, folder.path(), |_| ())).await;
    let expected = reference(&[(Some(ADAPTERS[0]), QUESTIONS[0])]).await;
    assert_eq!([text(&engine, Some(ADAPTERS[0])).await.expect("an answer")], expected.as_slice());
    assert_eq!(servers[0].seen().loads, [name(ADAPTERS[0])], "loaded over what was there");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_request_fails_before_its_first_token_while_one_server_is_there() {
    let (folder, mut servers) = (tempfile::tempdir().expect("a folder"), [stand_in(), stand_in()]);
    let (engine, fleet) = fleet(settings(&servers, folder.path(), |_| ())).await;
    let cases: Vec<_> = ADAPTERS.iter().map(|name| (Some(*name), QUESTIONS[0])).collect();
    let expected = reference(&cases).await;
    let round = async || {
        let told = join_all(ADAPTERS.iter().map(|name| text(&engine, Some(name)))).await;
        told.into_iter().map(|text| text.expect("an answer")).collect::<Vec<_>>()
    };
    assert_eq!(round().await, expected);
    servers[0].kill().await;
    for _ in 0..4 {
        assert_eq!(round().await, expected);
    }
    let state = |fleet: &tenora_fleet::Fleet| fleet.servers()[0].state;
    eventually(async || state(&fleet) != ServerState::Ok, "it is known to be away").await;
    servers[0].start_again();
    eventually(async || state(&fleet) == ServerState::Ok, "it is known to be back").await;
    assert_eq!(round().await, expected);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn failures_before_the_first_token_are_asked_elsewhere_and_those_after_it_are_told() {
    let (folder, servers) = (tempfile::tempdir().expect("a folder"), [stand_in(), stand_in()]);
    let (engine, _fleet) = fleet(settings(&servers, folder.path(), |_| ())).await;
    let expected = text(&engine, None).await.expect("an answer");
    for status in [500, 502, 503, 429] {
        servers[0].faults(|faults| faults.status = Some(status));
        assert_eq!(text(&engine, None).await.expect("the other answers"), expected, "{status}");
    }
    servers.iter().for_each(|server| server.faults(|faults| faults.status = Some(500)));
    assert!(matches!(text(&engine, None).await, Err(EngineError::Unavailable(_))));
    servers.iter().for_each(|server| {
        server.faults(|faults| (faults.status, faults.break_after) = (None, Some(3)));
    });
    // They were left out for a while: three failures in a row.
    let broken = async || {
        let mut stream = engine.generate(long(None, 50)).await.expect("a stream");
        let (mut told, mut last) = (0, None);
        while let Some(event) = stream.next().await {
            told += usize::from(matches!(event, Ok(Event::Text { .. })));
            last = Some(event);
        }
        told > 0 && matches!(last, Some(Err(EngineError::Unavailable(_))))
    };
    eventually(broken, "an answer breaks off").await;
    servers
        .iter()
        .for_each(|server| server.faults(|faults| (faults.break_after, faults.no_end) = (None, true)));
    let without_end = async || matches!(text(&engine, None).await, Err(EngineError::Unavailable(words)) if words.contains("broke off"));
    eventually(without_end, "an answer without its sum is no answer").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_is_drained_ends_what_it_has_and_gets_no_more() {
    let (folder, servers) = (tempfile::tempdir().expect("a folder"), [stand_in(), stand_in()]);
    let (engine, fleet) = fleet(settings(&servers, folder.path(), |_| ())).await;
    text(&engine, Some(ADAPTERS[0])).await.expect("an answer");
    let at = servers.iter().position(|server| !server.adapters().is_empty()).expect("it is somewhere");
    let url = ServerUrl::parse(&servers[at].url()).expect("an address");
    let stream = engine.generate(long(Some(ADAPTERS[0]), 60)).await.expect("a stream");
    assert!(fleet.drain(&url, true));
    let asked = servers[at].seen().asked.len();
    for _ in 0..3 {
        text(&engine, Some(ADAPTERS[0])).await.expect("the other answers");
    }
    let ended: Vec<_> = stream.collect().await;
    assert!(matches!(ended.last(), Some(Ok(Event::Done(_)))), "what it had, it ended");
    assert!(servers[at].seen().asked.len() <= asked + 1, "nothing new came to it");
    assert_eq!(fleet.servers()[at].state, ServerState::Draining);
    assert!(fleet.drain(&url, false));
    assert_eq!(fleet.servers()[at].state, ServerState::Ok);
    assert!(!fleet.drain(&ServerUrl::parse("http://elsewhere:1").expect("an address"), true));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_queue_is_refused_at_once() {
    let (folder, servers) = (tempfile::tempdir().expect("a folder"), [stand_in()]);
    let (engine, _fleet) =
        fleet(settings(&servers, folder.path(), |settings| settings.queue_limit = 4)).await;
    servers[0].faults(|faults| faults.slow_loads = Some(Duration::from_secs(1)));
    let asked = (0..6).map(|tenant| engine.generate(ask(Some(ADAPTERS[0]), QUESTIONS[0], tenant)));
    let (waiting, refused): (Vec<_>, Vec<_>) = join_all(asked).await.into_iter().partition(Result::is_ok);
    let waiting: Vec<_> = waiting.into_iter().flatten().collect();
    let full = |error: &EngineError| matches!(error, EngineError::QueueFull { .. });
    assert!(refused.iter().all(|refused| refused.as_ref().err().is_some_and(full)));
    assert_eq!((waiting.len(), refused.len()), (4, 2));
    for stream in waiting {
        let all: Vec<_> = stream.collect().await;
        assert!(matches!(all.last(), Some(Ok(Event::Done(_)))), "{all:?}");
    }
}
