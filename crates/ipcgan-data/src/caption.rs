//! Short captions in a font of 3 x 5 dots: enough for the names of age groups and networks.

use image::{Rgb, RgbImage};

/// Dots from one letter to the next.
const LETTER_WIDTH: u32 = 4;
/// Height of a letter in dots.
const LETTER_HEIGHT: u32 = 5;

/// The largest scale, at most 3, at which `letters` letters fit into `width` pixels; at least 1.
pub(crate) fn scale_for(letters: u32, width: u32) -> u32 {
    (width / (LETTER_WIDTH * letters.max(1))).clamp(1, 3)
}

/// Height of a caption in pixels.
pub(crate) fn height(scale: u32) -> u32 {
    LETTER_HEIGHT * scale
}

/// Width of a caption in pixels.
pub(crate) fn width(text: &str, scale: u32) -> u32 {
    (LETTER_WIDTH * text.chars().count() as u32).saturating_sub(1) * scale
}

/// Writes `text` in black, its upper left corner at `(left, top)`; what does not fit is cut.
pub(crate) fn write(image: &mut RgbImage, text: &str, (left, top): (u32, u32), scale: u32) {
    for (place, letter) in text.chars().enumerate() {
        let rows = rows(letter);
        for dot in 0..15 {
            let [x, y] = [dot % 3, dot / 3];
            if rows >> (14 - dot) & 1 == 0 {
                continue;
            }
            let x = left + (LETTER_WIDTH * place as u32 + x) * scale;
            let y = top + y * scale;
            for (x, y) in (0..scale * scale).map(|part| (x + part % scale, y + part / scale)) {
                if let Some(pixel) = image.get_pixel_mut_checked(x, y) {
                    *pixel = Rgb([0; 3]);
                }
            }
        }
    }
}

/// The dots of a letter: one octal digit a row from the top, its highest bit on the left.
fn rows(letter: char) -> u16 {
    const DIGITS: [u16; 10] =
        [0o75557, 0o26227, 0o71747, 0o71717, 0o55711, 0o74717, 0o74757, 0o71111, 0o75757, 0o75717];
    const LETTERS: [u16; 26] = [
        0o25755, 0o65656, 0o34443, 0o65556, 0o74647, 0o74644, 0o34553, 0o55755, 0o72227, 0o11152, 0o55655, 0o44447,
        0o57755, 0o65555, 0o25552, 0o65644, 0o25563, 0o65655, 0o34216, 0o72222, 0o55557, 0o55552, 0o55775, 0o55255,
        0o55222, 0o71247,
    ];
    match letter.to_ascii_lowercase() {
        digit @ '0'..='9' => DIGITS[digit as usize - '0' as usize],
        letter @ 'a'..='z' => LETTERS[letter as usize - 'a' as usize],
        '-' => 0o00700,
        '+' => 0o02720,
        '.' => 0o00002,
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_letter_has_its_dots() {
        let mut image = RgbImage::from_pixel(7, 5, Rgb([255; 3]));

        write(&mut image, "1+", (0, 0), 1);

        let line = |y| (0..7).map(|x| if image.get_pixel(x, y)[0] == 0 { '#' } else { '.' }).collect::<String>();
        assert_eq!([0, 1, 2, 3, 4].map(line), [".#.....", "##...#.", ".#..###", ".#...#.", "###...."]);
    }

    #[test]
    fn what_does_not_fit_is_cut() {
        let mut image = RgbImage::new(5, 3);

        write(&mut image, "source", (3, 1), 2);
    }
}
