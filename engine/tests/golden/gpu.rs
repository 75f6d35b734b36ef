//! What only the cuda runner promises: bf16 stays near, a long past is cut and put together again, and launches do not
//! depend on how many adapters are in a batch.

use std::fs;

use super::{
    argmax, distance,
    driver::{Driver, Kind, Precision, Row},
    fixture::{Case, Fixture, MODELS, folder},
    is_here, margin, mixed, solo,
};

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
