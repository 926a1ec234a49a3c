//! Fuzzes `config.json`, and after an empty line `--set` overrides, one per line.
#![no_main]

use ipcgan::train::{Preset, TrainingConfig};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    let (config, settings) = text.split_once("\n\n").unwrap_or(("", text));
    let config = serde_json::from_str(config).unwrap_or_else(|_| TrainingConfig::of(Preset::Tiny));
    let settings: Vec<String> = settings.lines().map(str::to_string).collect();
    if let Ok(config) = config.with_settings(&settings) {
        let text = serde_json::to_string(&config).expect("settings can be written");
        let again: TrainingConfig = serde_json::from_str(&text).expect("what was written can be read");
        assert_eq!(text, serde_json::to_string(&again).expect("settings can be written"));
    }
});
