//! `ipcgan train` on synthetic faces without options: no checkerboard artefacts.

#![allow(clippy::unwrap_used, reason = "a test may panic")]
#![allow(clippy::print_stdout, reason = "how far a run is from its limits is worth knowing when it passes too")]

use std::f64::consts::TAU;
use std::process::Command;

use ipcgan::data::{FaceSet, SyntheticConfig, SyntheticFaces};
use ipcgan::model::{Generator, weights};
use ipcgan::train::at_every_age;
use ipcgan::{AgeGroups, DeviceChoice, RgbImage};

/// Width and height of the faces.
const SIZE: usize = 64;

/// Maximum period of a pattern, in pixels; the minimum is two.
const MAX_PERIOD: f64 = 8.0;

/// Accepted range of [`Pattern::energy`]: blurred faces are below, faces under a pattern above.
const ENERGY: std::ops::Range<f64> = 0.75..1.15;

/// Limit of [`Pattern::peak`]: other identities reach 2, and a grid of a tenth of the contrast 75. After the steps of
/// this test, a generator without suppression of checkerboard artefacts reaches 5 and 10 (seeds 0 and 1), and one with
/// it 1.4 to 1.9 (seeds 0 to 2).
const MAX_PEAK: f64 = 4.0;

/// Differences between generated and source faces at periods of 2 to 8 pixels.
#[derive(Debug)]
struct Pattern {
    /// Energy of the generated faces, relative to the source faces.
    energy: f64,
    /// Maximum ratio of both power spectra at a single frequency, relative to the median of that ratio: a regular
    /// pattern, however faint, is a peak at a single frequency.
    peak: f64,
}

impl Pattern {
    fn of(generated: &[RgbImage], source: &[RgbImage]) -> Self {
        let [generated, source] = [generated, source].map(mean_power);
        let frequency = |index: usize| index.min(SIZE - index) as f64 / SIZE as f64;
        let band = (0..SIZE * SIZE)
            .filter(|place| f64::max(frequency(place % SIZE), frequency(place / SIZE)) >= 1.0 / MAX_PERIOD);
        let (mut energies, mut ratios) = ([0.0; 2], Vec::new());
        for place in band {
            energies[0] += generated[place];
            energies[1] += source[place];
            ratios.push(generated[place] / source[place]);
        }
        ratios.sort_by(f64::total_cmp);
        Self { energy: energies[0] / energies[1], peak: ratios[ratios.len() - 1] / ratios[ratios.len() / 2] }
    }
}

/// Mean power spectrum of the luminance of `faces`, by frequency down and right.
fn mean_power(faces: &[RgbImage]) -> Vec<f64> {
    let mut mean = vec![0.0; SIZE * SIZE];
    for face in faces {
        let windowed: Vec<[f64; 2]> = luminance(face).into_iter().map(|value| [value, 0.0]).collect();
        for (mean, [real, imaginary]) in mean.iter_mut().zip(transformed_rows(&transformed_rows(&windowed))) {
            *mean += (real * real + imaginary * imaginary) / faces.len() as f64;
        }
    }
    mean
}

/// Zero-mean luminance with a Hann window, without which the image border would add a pattern.
fn luminance(face: &RgbImage) -> Vec<f64> {
    let values: Vec<f64> = face
        .pixels()
        .map(|pixel| pixel.0.iter().zip([0.299, 0.587, 0.114]).map(|(value, share)| f64::from(*value) * share).sum())
        .collect();
    let mean = values.iter().sum::<f64>() / values.len() as f64;
    let hann = |place: usize| 0.5 - 0.5 * (TAU * (place as f64 + 1.0) / (SIZE as f64 + 1.0)).cos();
    let windowed =
        values.iter().enumerate().map(|(place, value)| (value - mean) * hann(place % SIZE) * hann(place / SIZE));
    windowed.collect()
}

/// The discrete Fourier transform of each row, transposed; applied twice, it transforms both axes.
fn transformed_rows(values: &[[f64; 2]]) -> Vec<[f64; 2]> {
    let turns: Vec<(f64, f64)> = (0..SIZE).map(|step| (-TAU * step as f64 / SIZE as f64).sin_cos()).collect();
    let mut transformed = vec![[0.0; 2]; values.len()];
    for (row, values) in values.chunks_exact(SIZE).enumerate() {
        for frequency in 0..SIZE {
            let sum = &mut transformed[frequency * SIZE + row];
            for (place, [real, imaginary]) in values.iter().enumerate() {
                let (sine, cosine) = turns[frequency * place % SIZE];
                sum[0] += real * cosine - imaginary * sine;
                sum[1] += real * sine + imaginary * cosine;
            }
        }
    }
    transformed
}

/// Faces of `identities` unseen identities, one per age group.
fn faces(identities: usize) -> Vec<RgbImage> {
    let config = SyntheticConfig::new().with_identities(identities).with_faces_per_group(1).with_seed(1);
    let faces = SyntheticFaces::new(config.with_size(SIZE as u32), &AgeGroups::default());
    (0..faces.len()).map(|index| faces.image(index).unwrap()).collect()
}

#[test]
fn a_faint_grid_exceeds_the_peak_limit_and_other_identities_do_not() {
    let faces = faces(40);
    let (source, others) = faces.split_at(100);
    let gridded = |period: u32, levels: u8| {
        let mut faces = others.to_vec();
        for (x, y, pixel) in faces.iter_mut().flat_map(|face| face.enumerate_pixels_mut()) {
            if x % period == 0 && y % period == 0 {
                pixel.0 = pixel.0.map(|value| value.saturating_sub(levels));
            }
        }
        Pattern::of(&faces, source)
    };

    let clean = Pattern::of(others, source);
    println!("other people: {clean:?}");
    assert!(clean.peak < 0.75 * MAX_PEAK && ENERGY.contains(&clean.energy), "{clean:?}");
    for period in [2, 4] {
        let faint = gridded(period, 10);
        println!("a grid of period {period}: {faint:?}");
        assert!(faint.peak > 2.0 * MAX_PEAK, "period {period}: {faint:?}");
    }
}

#[test]
fn the_default_training_has_no_checkerboard_artefacts() {
    let folder = tempfile::tempdir().unwrap();
    // A fifth of the demo's steps.
    let steps = [
        "identity.steps=240",
        "identity.adversarial_start=120",
        "age.steps=40",
        "aging.steps=300",
        "aging.recalibration_batches=10",
        "validations=1",
    ];
    let output = Command::new(env!("CARGO_BIN_EXE_ipcgan"))
        .current_dir(folder.path())
        .args(["train", "--device", "cpu", "--plain"])
        .args(steps.iter().flat_map(|setting| ["--set", setting]))
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));

    let device = DeviceChoice::Cpu.resolve().unwrap();
    let path = folder.path().join("run/weights/generator.safetensors");
    let generator = weights::load::<Generator>(&path, &device).unwrap().network.into_inference();
    let source = faces(12);
    let generated: Vec<RgbImage> = source.iter().flat_map(|face| at_every_age(&generator, face, &device)).collect();

    let pattern = Pattern::of(&generated, &source);
    println!("{pattern:?}");
    assert!(ENERGY.contains(&pattern.energy), "{pattern:?}");
    assert!(pattern.peak < MAX_PEAK, "{pattern:?}");
}
