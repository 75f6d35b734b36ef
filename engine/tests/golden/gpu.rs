//! What only the cuda runner promises: bf16 stays near, a long past is cut and put together again, and launches do not
//! depend on how many adapters are in a batch.

use std::fs;

use tenora_engine::{
    config::EngineConfig,
    logits::Wanted,
    runner::{LEAST_NOISE, Runner, cuda::CudaRunner},
};
use tenora_kernels::abi::Element;

use super::{
    argmax, distance,
    driver::{Answer, Driver, Kind, Precision, Row},
    fixture::{Case, Fixture, MODELS, folder},
    is_here, margin, mixed, solo,
};
use crate::emulated::EmulatedGpu;

/// bf16 has eight bits, and the tiny random models' logits, some units wide, go through a dozen roundings: on the host they
/// move by 0.05 to 0.15.
const NEAR: f32 = 0.25;
/// Two runs whose products a device may have summed in different orders. The kernels themselves do not: on the host nothing
/// moves.
const SOLO_NEAR: f32 = 0.15;

const BF16: &[Kind] = &[
    Kind::Emulated(Precision::Bf16),
    #[cfg(feature = "cuda")]
    Kind::Cuda(Precision::Bf16),
];

#[test]
fn sixteen_bits_stay_near() {
    for model in MODELS {
        let fixture = Fixture::read(model);
        for kind in BF16.iter().copied().filter(is_here) {
            let mut driver = Driver::load(model, kind);
            let mixed = mixed(&mut driver, &fixture);
            for (case, mixed) in fixture.cases.iter().zip(&mixed) {
                let alone = solo(&mut driver, &fixture, case, 16);
                for (step, logits) in alone.iter().enumerate() {
                    let far = distance(logits, &case.logits[step]);
                    assert!(far <= NEAR, "{kind}, {model}, {case}, token {step}: {far:e} from f32");
                    let far = distance(logits, &mixed[step]);
                    assert!(far <= SOLO_NEAR, "{kind}, {model}, {case}, token {step}: {far:e} from mixed");
                    if margin(&case.logits[step]) > 2.0 * NEAR {
                        assert_eq!(argmax(logits), case.greedy[step], "{kind}, {model}, {case}: {step}");
                    }
                }
            }
        }
    }
}

/// Sequences longer than one part of attention, beside a short one.
#[test]
fn a_long_past_is_seen_whole() {
    const FAR_BACK: usize = 700;
    const TOLERANCE: f32 = 1e-4;
    let base = tempfile::tempdir().unwrap();
    for entry in fs::read_dir(folder("llama").join("base")).unwrap() {
        let entry = entry.unwrap();
        fs::copy(entry.path(), base.path().join(entry.file_name())).unwrap();
    }
    let config = base.path().join("config.json");
    let mut text: serde_json::Value = serde_json::from_slice(&fs::read(&config).unwrap()).unwrap();
    text["max_position_embeddings"] = 1024.into();
    fs::write(&config, text.to_string()).unwrap();
    let vocabulary = text["vocab_size"].as_u64().unwrap() as usize;

    let run = |kind: Kind| {
        let mut driver = Driver::load_from(base.path(), kind);
        let token = |index: usize| ((index * index * 7 + index * 13) % vocabulary) as u32;
        let (mut long, mut short) = (Row::default(), Row::default());
        let prompt: Vec<u32> = (0..FAR_BACK).map(token).collect();
        let mut answers = Vec::new();
        for chunk in prompt.chunks(150) {
            answers.extend(driver.step(&mut [(&mut long, chunk.to_vec(), true)]));
        }
        answers.extend(driver.step(&mut [(&mut short, prompt[..9].to_vec(), true)]));
        for index in 0..3 {
            let next = vec![token(FAR_BACK + index)];
            answers.extend(driver.step(&mut [(&mut long, next.clone(), true), (&mut short, next, true)]));
        }
        answers
    };
    let expected = run(Kind::Reference);
    let kinds = [
        Kind::Emulated(Precision::F32),
        #[cfg(feature = "cuda")]
        Kind::Cuda(Precision::F32),
    ];
    for kind in kinds.into_iter().filter(is_here) {
        for (step, (found, expected)) in run(kind).iter().zip(&expected).enumerate() {
            let far = distance(found, expected);
            assert!(far <= TOLERANCE, "{kind}, answer {step}: {far:e} from the reference");
        }
    }
}

const KINDS: &[Kind] = &[
    Kind::Emulated(Precision::F32),
    Kind::Emulated(Precision::Bf16),
    #[cfg(feature = "cuda")]
    Kind::Cuda(Precision::F32),
    #[cfg(feature = "cuda")]
    Kind::Cuda(Precision::Bf16),
];

/// Sequences that want nothing, the largest or all, beside each other.
#[test]
fn the_largest_logits_are_those_of_the_row() {
    /// Sums of exponentials in f32.
    const SUM_TOLERANCE: f32 = 1e-5;
    let fixture = Fixture::read("llama");
    for &kind in KINDS.iter().filter(|kind| is_here(kind)) {
        let mut driver = Driver::load("llama", kind);
        let mut ask = |wanted: &[Wanted]| {
            let mut rows: Vec<Row> = fixture.cases.iter().map(|case| driver.row(&fixture, case)).collect();
            let prompts = fixture.cases.iter().map(|case| fixture.prompts[case.prompt][..4].to_vec());
            let wanted = wanted.iter().copied().cycle();
            let work =
                rows.iter_mut().zip(prompts).zip(wanted).map(|((row, prompt), wanted)| (row, prompt, wanted));
            let answers = driver.ask(&mut work.collect::<Vec<_>>());
            rows.into_iter().for_each(|row| driver.release(row));
            answers
        };
        let rows = ask(&[Wanted::Row]);
        for wanted in [
            &[Wanted::Top(1)][..],
            &[Wanted::Top(1), Wanted::Row, Wanted::Nothing, Wanted::Top(5), Wanted::Row],
            &[Wanted::Top(Wanted::MOST_TOP)],
        ] {
            let mut answers = ask(wanted).into_iter();
            for (row, wanted) in rows.iter().zip(wanted.iter().cycle()) {
                let Answer::Row(row) = row else { panic!("a row was wanted") };
                let answer = match wanted {
                    Wanted::Nothing => continue,
                    _ => answers.next().expect("an answer for each that wants one"),
                };
                let (tokens, logits, log_sum_exp) = match (answer, *wanted) {
                    (Answer::Row(own), Wanted::Row) => {
                        assert_eq!(own, *row, "{kind}");
                        continue;
                    }
                    (Answer::Top { tokens, logits, log_sum_exp, finite: true }, Wanted::Top(count)) => {
                        assert!(tokens.len() >= count.min(row.len()), "{kind}");
                        (tokens, logits, log_sum_exp)
                    }
                    (other, wanted) => panic!("{kind}: {other:?} for {wanted:?}"),
                };
                let mut ranked: Vec<(u32, f32)> = (0..).zip(row.iter().copied()).collect();
                ranked.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
                ranked.truncate(tokens.len());
                assert_eq!(tokens.into_iter().zip(logits).collect::<Vec<_>>(), ranked, "{kind}");
                let expected = row.iter().map(|logit| f64::from(*logit).exp()).sum::<f64>().ln() as f32;
                assert!(
                    (log_sum_exp - expected).abs() < SUM_TOLERANCE,
                    "{kind}: {log_sum_exp} for {expected}"
                );
            }
            assert!(answers.next().is_none());
        }
    }
}

/// Whoever wants a greedy token has 16 bytes copied, and a sequence in the middle of its prompt none.
#[test]
fn a_greedy_step_is_one_launch_more() {
    let fixture = Fixture::read("llama");
    let mut driver = Driver::load("llama", Kind::Emulated(Precision::F32));
    let mut launches = |wanted: &[Wanted]| {
        let case = fixture.case(None, 0);
        let mut rows: Vec<Row> = wanted.iter().map(|_| driver.row(&fixture, case)).collect();
        let work = rows.iter_mut().zip(wanted).map(|(row, wanted)| (row, vec![5, 6, 7], *wanted));
        driver.take_launches();
        driver.ask(&mut work.collect::<Vec<_>>());
        let launches = driver.take_launches();
        rows.into_iter().for_each(|row| driver.release(row));
        ["argmax_f32", "top_k_f32"].map(|name| launches.get(name).copied().unwrap_or(0))
    };
    assert_eq!(launches(&[Wanted::Row, Wanted::Nothing]), [0, 0]);
    assert_eq!(launches(&[Wanted::Top(1), Wanted::Row, Wanted::Top(1)]), [1, 0]);
    assert_eq!(launches(&[Wanted::Top(1), Wanted::Top(7)]), [0, 1]);
}

/// Whether an adapter has an effect is judged by more than what a device's sums do by themselves.
#[test]
fn noise_is_what_a_batch_moves() {
    let config = EngineConfig::new(folder("llama").join("base"));
    let noise = |unsteady: f32| {
        let gpu = EmulatedGpu::unsteady(unsteady);
        CudaRunner::load(gpu, Some(Element::F32), &config, &|_| ()).unwrap().noise((256, 8)).unwrap()
    };
    assert_eq!(noise(0.0), LEAST_NOISE, "kernels have one order of sums for a row");
    let (some, more) = (noise(1e-4), noise(4e-4));
    assert!(some > 10.0 * LEAST_NOISE && more > 2.0 * some && more < 10.0, "{some:e}, {more:e}");
}

#[test]
fn launches_do_not_depend_on_how_many_adapters_there_are() {
    let fixture = Fixture::read("llama");
    let mut driver = Driver::load("llama", Kind::Emulated(Precision::F32));
    let adapted: Vec<_> = fixture.cases.iter().filter(|case| case.adapter.is_some()).collect();
    let (bare, one) = (fixture.case(None, 0), adapted[0]);
    let mut launches = |cases: Vec<&Case>| {
        let mut rows: Vec<Row> = cases.iter().map(|case| driver.row(&fixture, case)).collect();
        driver.step(&mut rows.iter_mut().map(|row| (row, vec![5, 6, 7], false)).collect::<Vec<_>>());
        driver.take_launches();
        driver.step(&mut rows.iter_mut().map(|row| (row, vec![8], true)).collect::<Vec<_>>());
        rows.into_iter().for_each(|row| driver.release(row));
        driver.take_launches()
    };
    let rows = adapted.len();
    let (without, identical, distinct) =
        (launches(vec![bare; rows]), launches(vec![one; rows]), launches(adapted));
    assert_eq!(distinct, identical);
    let text = fs::read(folder("llama").join("base/config.json")).unwrap();
    let layers = serde_json::from_slice::<serde_json::Value>(&text).unwrap()["num_hidden_layers"].as_u64();
    let groups = 4 * layers.unwrap() as usize;
    let mut added = without.clone();
    added.extend([("lora_shrink_f32", groups), ("lora_expand_f32", groups)]);
    assert_eq!(identical, added, "a shrink and an expand for each group of projections, and nothing else");
    assert_eq!(without["multiply"], groups + 1);
}
