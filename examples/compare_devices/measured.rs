//! Reads the measurements of criterion.

use std::error::Error;
use std::fs;
use std::path::Path;

use serde_json::Value;

use crate::entries;

/// One measurement.
pub(crate) struct Measured {
    /// What was done, as `generator, compact`.
    pub(crate) group: String,
    /// The device by name.
    pub(crate) device: String,
    /// Faces at a time, or another size.
    pub(crate) batch: Option<usize>,
    /// Median time of a repetition.
    seconds: f64,
    /// Faces, photos or operations in a repetition.
    elements: f64,
}

impl Measured {
    /// Faces, photos or operations in a second.
    pub(crate) fn rate(&self) -> f64 {
        self.elements / self.seconds
    }
}

/// All measurements below criterion's `folder`.
pub(crate) fn measured(folder: &Path) -> Result<Vec<Measured>, Box<dyn Error>> {
    let mut found = Vec::new();
    collect(folder, &mut found)
        .map_err(|error| format!("{}: {error}; `cargo bench --bench devices` writes it", folder.display()))?;
    Ok(found)
}

fn collect(folder: &Path, found: &mut Vec<Measured>) -> Result<(), Box<dyn Error>> {
    for path in entries(folder)?.into_iter().filter(|path| path.is_dir()) {
        let newest = path.join("new");
        if newest.join("benchmark.json").is_file() {
            found.extend(read(&newest)?);
        }
        collect(&path, found)?;
    }
    Ok(())
}

/// The measurement in `folder`; none if it counts no elements.
fn read(folder: &Path) -> Result<Option<Measured>, Box<dyn Error>> {
    let json =
        |name: &str| -> Result<Value, Box<dyn Error>> { Ok(serde_json::from_slice(&fs::read(folder.join(name))?)?) };
    let (benchmark, estimates) = (json("benchmark.json")?, json("estimates.json")?);
    let text = |key: &str| benchmark[key].as_str().unwrap_or_default().to_string();
    let nanoseconds = estimates["median"]["point_estimate"].as_f64().ok_or("criterion's file has no median")?;
    let elements = benchmark["throughput"]["Elements"].as_f64();
    Ok(elements.map(|elements| Measured {
        group: text("group_id"),
        device: text("function_id"),
        batch: text("value_str").parse().ok(),
        seconds: nanoseconds / 1e9,
        elements,
    }))
}
