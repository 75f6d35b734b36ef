//! An adapter in the weights is the adapter beside them: what is written for engines that know no adapters gives PEFT's logits.

use std::collections::BTreeSet;

use tenora_engine::{EngineError, InstructionSet::Portable, lora::write_merged, model::ModelConfig};

use crate::{
    Kind, assert_golden,
    driver::Driver,
    files::adapter_files,
    fixture::{Case, Fixture, MODELS, folder},
    solo,
};

#[test]
fn a_merged_model_gives_pefts_logits() {
    for model in MODELS {
        let (fixture, base) = (Fixture::read(model), folder(model).join("base"));
        let config = ModelConfig::read(&base).unwrap();
        let adapters: BTreeSet<_> = fixture.cases.iter().filter_map(|case| case.adapter.as_deref()).collect();
        for adapter in adapters {
            let merged = tempfile::tempdir().unwrap();
            let files = adapter_files(&folder(model).join(adapter));
            write_merged(&files, (&config, 256), (&base, merged.path()), &|_| ()).unwrap();
            let mut driver = Driver::load_from(merged.path(), Kind::Cpu(Portable, 1));
            for case in fixture.cases.iter().filter(|case| case.adapter.as_deref() == Some(adapter)) {
                let inside = Case { adapter: None, ..case.clone() };
                for (step, logits) in solo(&mut driver, &fixture, &inside, usize::MAX).iter().enumerate() {
                    assert_golden(case, step, logits, &format!("{model} with {adapter} in its weights"));
                }
            }
        }
    }
}

#[test]
fn an_adapter_of_another_base_is_not_merged() {
    let (base, other) = (folder("llama").join("base"), folder("qwen3").join("base"));
    let files = adapter_files(&folder("llama").join("rank8"));
    let merged = tempfile::tempdir().unwrap();
    // The sizes are right, and the weights are another model's.
    let config = ModelConfig::read(&base).unwrap();
    let refused = write_merged(&files, (&config, 256), (&other, merged.path()), &|_| ()).unwrap_err();
    let EngineError::BaseModel { problem, .. } = &refused else { unreachable!("{refused}") };
    assert!(problem.contains("model.layers.") && problem.contains("_proj.weight"), "{problem}");
}
