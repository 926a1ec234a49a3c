//! Ages the face in a photo with the embedded weights.
//!
//! `cargo run --release --example age_photo -- assets/photos/grace-hopper-face.png`

#![allow(clippy::print_stdout, reason = "it answers whoever runs it")]

use std::error::Error;
use std::path::PathBuf;

use ipcgan::{DeviceChoice, FaceAging, photo};

fn main() -> Result<(), Box<dyn Error>> {
    let path = std::env::args().nth(1).unwrap_or("assets/photos/grace-hopper-face.png".into());
    let face_aging = FaceAging::embedded(&DeviceChoice::Auto.resolve()?)?;
    let face = photo::read(path.as_ref())?;

    let folder = PathBuf::from("aged");
    std::fs::create_dir_all(&folder)?;
    for (group, aged) in face_aging.at_every_age(&face) {
        let image = folder.join(format!("example-{group}.png"));
        photo::write_png(&image, &aged)?;
        println!("{}", image.display());
    }
    Ok(())
}
