//! Bar chart of the throughput of each device.

use std::fmt::Write;

use crate::Row;

const COLOURS: [&str; 6] = ["#3066be", "#d1495b", "#2a9d8f", "#edae49", "#6d597a", "#555555"];
/// Pixels: of a bar and its place, of the names at the left, and of the longest bar.
const BAR: f64 = 14.0;
const LINE: f64 = 18.0;
const LEFT: f64 = 260.0;
const LONGEST: f64 = 420.0;

/// The rows as an SVG image, on a scale on which each step is ten times the one before.
pub(crate) fn of(rows: &[Row]) -> String {
    let mut devices: Vec<&str> = rows.iter().map(|row| row.device.as_str()).collect();
    devices.sort_unstable();
    devices.dedup();
    let logarithms = || rows.iter().map(|row| row.rate.log10());
    let (min, max) = (logarithms().fold(f64::MAX, f64::min).floor(), logarithms().fold(f64::MIN, f64::max).ceil());
    let length = |rate: f64| LONGEST * (rate.log10() - min) / (max - min).max(1.0);
    let height = LINE * (rows.len() + 4) as f64;
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {} {height}\" font-family=\"sans-serif\" font-size=\"12\">\n\
         <rect width=\"100%\" height=\"100%\" fill=\"white\"/>\n",
        LEFT + LONGEST + 140.0
    );
    for power in min as i32..=max as i32 {
        let x = LEFT + length(10f64.powi(power));
        let _ = writeln!(
            svg,
            "<path d=\"M{x} {LINE}V{}\" stroke=\"#ddd\"/><text x=\"{x}\" y=\"{}\" text-anchor=\"middle\">{}</text>",
            height - 2.0 * LINE,
            LINE - 5.0,
            10f64.powi(power)
        );
    }
    for (index, row) in rows.iter().enumerate() {
        let y = LINE * (index as f64 + 1.5);
        let colour = COLOURS[devices.iter().position(|device| *device == row.device).unwrap_or(0) % COLOURS.len()];
        let batch = row.batch.map_or(String::new(), |batch| format!(", batch {batch}"));
        let utilization =
            row.utilization.map_or(String::new(), |utilization| format!(" ({:.0}%)", 100.0 * utilization));
        let _ = writeln!(
            svg,
            "<text x=\"{}\" y=\"{}\" text-anchor=\"end\">{}{batch}</text>\
             <rect x=\"{LEFT}\" y=\"{y}\" width=\"{:.1}\" height=\"{BAR}\" fill=\"{colour}\"/>\
             <text x=\"{:.1}\" y=\"{}\">{:.1}{utilization}</text>",
            LEFT - 6.0,
            y + 11.0,
            row.work,
            length(row.rate).max(1.0),
            LEFT + length(row.rate).max(1.0) + 5.0,
            y + 11.0,
            row.rate
        );
    }
    for (index, device) in devices.iter().enumerate() {
        let (x, y) = (LEFT + 150.0 * index as f64, height - 1.2 * LINE);
        let colour = COLOURS[index % COLOURS.len()];
        let _ = writeln!(
            svg,
            "<rect x=\"{x}\" y=\"{y}\" width=\"12\" height=\"12\" fill=\"{colour}\"/><text x=\"{}\" y=\"{}\">{device}</text>",
            x + 18.0,
            y + 11.0
        );
    }
    svg + "</svg>\n"
}
