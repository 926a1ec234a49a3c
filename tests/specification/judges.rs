//! The evaluation networks and dlib's face recogniser agree with their originals.

use std::fs;
use std::path::{Path, PathBuf};

use burn::tensor::{Tensor, TensorData};
use ipcgan::model::{AgeEstimator, FaceRes, Recogniser};

use crate::reference::{Golden, device};

/// Weights in half precision move what a network gives by so much, as a share of the largest value.
const HALF_PRECISION: f32 = 5e-3;
/// The original weights of HSE-FaceRes have half precision as well, and the folded ones float32: what is left is the
/// rounding of sums (1.4e-6 in PyTorch).
const ROUNDING: f32 = 1e-4;

/// As `assets/judges/convert.py` makes them, brought from 0..255 to [-1, 1].
fn faces(side: usize) -> Tensor<4> {
    let wave = |index: usize| {
        let (column, row, channel, face) =
            (index % side, index / side % side, index / side / side % 3, index / side / side / 3);
        let angle = row as f64 * (0.05 + 0.01 * channel as f64) + column as f64 * 0.07 + face as f64;
        angle.sin() as f32
    };
    let values: Vec<f32> = (0..2 * 3 * side * side).map(wave).collect();
    Tensor::from_data(TensorData::new(values, [2, 3, side, side]), &device())
}

fn weights(file: &str) -> (Vec<u8>, PathBuf) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("assets").join(file);
    (fs::read(&path).unwrap(), path)
}

fn face_res() -> FaceRes {
    let (bytes, path) = weights("judges/faceres.safetensors");
    FaceRes::from_bytes(bytes, &path, &device()).unwrap()
}

#[test]
fn face_res_gives_the_embeddings_and_ages_of_the_original() {
    let network = face_res();

    let embeddings = network.embeddings(faces(FaceRes::SIDE));
    let years = network.ages_of_embeddings(embeddings.clone());

    let golden = Golden::read("judges");
    golden.check("faceres_embeddings", embeddings, ROUNDING);
    golden.check("faceres_years", years, ROUNDING);
}

#[test]
fn the_recogniser_gives_the_embeddings_of_dlibs() {
    let (bytes, path) = weights("recogniser/recogniser.safetensors");
    let recogniser = Recogniser::from_bytes(bytes, &path, &device()).unwrap();

    let embeddings = recogniser.embeddings(faces(Recogniser::SIDE));

    Golden::read("recogniser").check("embeddings", embeddings, HALF_PRECISION);
}

#[test]
fn the_estimator_gives_the_ages_of_dlibs() {
    let (bytes, path) = weights("judges/age_estimator.safetensors");
    let estimator = AgeEstimator::from_bytes(bytes, &path, &device()).unwrap();

    let years = estimator.ages(faces(AgeEstimator::SIDE));

    Golden::read("judges").check("years", years, HALF_PRECISION);
}

#[test]
fn what_differs_more_is_perceptually_farther() {
    let network = face_res();
    let faces = faces(FaceRes::SIDE);
    let distances = |others: Tensor<4>| -> Vec<f32> {
        network.perceptual_distances(faces.clone(), others).into_data().iter().collect()
    };

    let [same, near, far] = [1.0, 0.9, 0.3].map(|contrast| distances(faces.clone() * contrast));

    for face in 0..2 {
        assert_eq!(same[face], 0.0);
        assert!(0.0 < near[face] && near[face] < far[face], "{near:?} {far:?}");
    }
}

#[test]
fn other_weights_are_refused() {
    let (bytes, path) = weights("judges/age_estimator.safetensors");

    let errors = [
        Recogniser::from_bytes(bytes.clone(), &path, &device()).unwrap_err(),
        FaceRes::from_bytes(bytes, &path, &device()).unwrap_err(),
    ];

    for error in errors {
        assert!(error.to_string().contains("age_estimator.safetensors"), "{error}");
    }
}
