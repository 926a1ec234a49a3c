//! Ages all faces in a photo to 60 with the embedded weights.
//!
//! `cargo run --release --example age_photo -- assets/photos/grace-hopper.jpg`

#![allow(clippy::print_stdout, reason = "an example prints its result")]

use std::error::Error;

use ipcgan::{AgeBlend, DeviceChoice, PhotoAging, photo};

fn main() -> Result<(), Box<dyn Error>> {
    let path = std::env::args().nth(1).unwrap_or("assets/photos/grace-hopper.jpg".into());
    let aging = PhotoAging::embedded(&DeviceChoice::Auto.resolve()?)?;
    let age = AgeBlend::from_age(60.0, aging.age_groups());
    let mut photo = photo::read_original(path.as_ref())?;
    let faces = aging.age(&mut photo, &age)?;
    photo.write("aged-60.png".as_ref(), photo::PhotoFormat::Png)?;
    println!("{faces} faces aged: aged-60.png");
    Ok(())
}
