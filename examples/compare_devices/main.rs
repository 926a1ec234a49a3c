//! Table and plot of `cargo bench --bench devices`: throughput of each device, and utilization of its peak.
//!
//! ```sh
//! cargo bench --bench devices
//! cargo run --release --example compare_devices -- OUT_DIR
//! ```
//!
//! `OUT_DIR` gets `devices.md` and `devices.svg`. The share of a device's peak is the arithmetic of the work, two operations
//! for a product and its sum, over the rate of the largest matrix product that was measured on it.

#![allow(clippy::print_stdout, reason = "an example prints its result")]

mod chart;
mod measured;
mod operations;

use std::error::Error;
use std::fmt::Write;
use std::path::{Path, PathBuf};

use ipcgan::DeviceChoice;
use ipcgan::system::write_atomic;
use measured::{Measured, measured};

/// The benchmark that shows what a device can do.
const PEAK: &str = "matrix product";

/// A line of the table.
struct Row {
    work: String,
    batch: Option<usize>,
    device: String,
    /// Faces, photos or batches in a second.
    rate: f64,
    /// Of the device's peak, if the work is counted and the peak was measured.
    utilization: Option<f64>,
}

fn main() -> Result<(), Box<dyn Error>> {
    let out = PathBuf::from(std::env::args().nth(1).ok_or("usage: compare_devices OUT_DIR")?);
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or("target".into(), PathBuf::from);
    // Other benchmarks leave theirs beside.
    let is_a_device = |one: &Measured| one.device.parse::<DeviceChoice>().is_ok();
    let found: Vec<Measured> = measured(&target.join("criterion"))?.into_iter().filter(is_a_device).collect();
    let rows = rows(&found);
    if rows.is_empty() {
        return Err("nothing was measured yet; run `cargo bench --bench devices` first".into());
    }
    std::fs::create_dir_all(&out)?;
    for (name, text) in [("devices.md", table(&found, &rows)?), ("devices.svg", chart::of(&rows))] {
        let path = out.join(name);
        write_atomic(&path, text.as_bytes())?;
        println!("{}", path.display());
    }
    Ok(())
}

fn rows(found: &[Measured]) -> Vec<Row> {
    let networks = found.iter().filter(|one| one.group != PEAK);
    let rows = networks.map(|one| {
        let operations = operations::of(&one.group).map(|operations| operations * one.rate());
        let utilization = operations.zip(peak(found, &one.device)).map(|(used, max)| used / max);
        Row { work: one.group.clone(), batch: one.batch, device: one.device.clone(), rate: one.rate(), utilization }
    });
    let mut rows: Vec<Row> = rows.collect();
    rows.sort_by(|a, b| (&a.work, a.batch, &a.device).cmp(&(&b.work, b.batch, &b.device)));
    rows
}

/// Operations in a second of the fastest matrix product of `device`.
fn peak(found: &[Measured], device: &str) -> Option<f64> {
    let products = found.iter().filter(|one| one.group == PEAK && one.device == device);
    products.map(Measured::rate).reduce(f64::max)
}

fn table(found: &[Measured], rows: &[Row]) -> Result<String, Box<dyn Error>> {
    let mut text = String::from("| device | is | matrix product, GFLOP/s |\n|---|---|---|\n");
    let mut devices: Vec<&str> = rows.iter().map(|row| row.device.as_str()).collect();
    devices.sort_unstable();
    devices.dedup();
    for device in devices {
        let opened = device.parse::<DeviceChoice>().and_then(|choice| choice.resolve());
        let name = opened.map_or("not here now".into(), |device| DeviceChoice::describe(&device));
        let Some(peak) = peak(found, device) else { continue };
        writeln!(text, "| {device} | {name} | {:.1} |", peak / 1e9)?;
    }
    text.push_str("\n| work | batch | device | a second | fraction of the matrix product |\n|---|---|---|---|---|\n");
    for Row { work, batch, device, rate, utilization } in rows {
        let batch = batch.map_or(String::new(), |batch| batch.to_string());
        let utilization = utilization.map_or(String::new(), |utilization| format!("{:.0}%", 100.0 * utilization));
        let digits = if *rate < 10.0 { 1 } else { 0 };
        writeln!(text, "| {work} | {batch} | {device} | {rate:.digits$} | {utilization} |")?;
    }
    Ok(text)
}

/// A folder's entries, in order of their names.
fn entries(folder: &Path) -> std::io::Result<Vec<PathBuf>> {
    let mut paths: Vec<PathBuf> =
        std::fs::read_dir(folder)?.map(|entry| Ok(entry?.path())).collect::<std::io::Result<_>>()?;
    paths.sort();
    Ok(paths)
}
