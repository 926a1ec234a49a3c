//! Contact sheets: grids of images.

use image::{Rgb, RgbImage};

use crate::caption;

/// White pixels between images.
const GAP: u32 = 2;

/// Contact sheet with one row per face: the source, then the face at each age group, with captions; `groups` are the
/// names of the age groups.
pub fn aged_sheet(rows: &[Vec<RgbImage>], groups: &[String]) -> RgbImage {
    let captions = [&["source".to_string()], groups].concat();
    with_captions(rows, &captions, GAP)
}

/// Images in rows and columns, `gap` white pixels around each; a missing cell stays white.
///
/// Cells have the size of the largest image; smaller ones are centred.
pub(crate) fn contact_sheet(rows: &[Vec<RgbImage>], gap: u32) -> RgbImage {
    render(rows, gap, 0)
}

/// A [`contact_sheet`] with a caption above each column.
fn with_captions(rows: &[Vec<RgbImage>], captions: &[String], gap: u32) -> RgbImage {
    let (cell, _) = cells(rows);
    let longest = captions.iter().map(|text| text.chars().count()).max().unwrap_or(0) as u32;
    let scale = caption::scale_for(longest, cell.0);
    let mut sheet = render(rows, gap, caption::height(scale) + gap);
    for (column, text) in captions.iter().enumerate() {
        let left = gap + column as u32 * (cell.0 + gap);
        let indent = cell.0.saturating_sub(caption::width(text, scale)) / 2;
        caption::write(&mut sheet, text, (left + indent, gap), scale);
    }
    sheet
}

/// A sheet below `head` white pixels.
fn render(rows: &[Vec<RgbImage>], gap: u32, head: u32) -> RgbImage {
    let ((width, height), columns) = cells(rows);
    let size = (gap + columns * (width + gap), head + gap + rows.len() as u32 * (height + gap));
    let mut sheet = RgbImage::from_pixel(size.0, size.1, Rgb([255; 3]));
    for (y, row) in rows.iter().enumerate() {
        for (x, image) in row.iter().enumerate() {
            let left = gap + x as u32 * (width + gap) + (width - image.width()) / 2;
            let top = head + gap + y as u32 * (height + gap) + (height - image.height()) / 2;
            image::imageops::replace(&mut sheet, image, left.into(), top.into());
        }
    }
    sheet
}

/// Width and height of a cell, and the number of columns.
fn cells(rows: &[Vec<RgbImage>]) -> ((u32, u32), u32) {
    let width = rows.iter().flatten().map(RgbImage::width).max().unwrap_or(0);
    let height = rows.iter().flatten().map(RgbImage::height).max().unwrap_or(0);
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    ((width, height), columns as u32)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn grey(value: u8) -> RgbImage {
        RgbImage::from_pixel(4, 3, Rgb([value; 3]))
    }

    #[test]
    fn images_are_in_rows_and_columns_with_white_gaps() {
        let sheet = contact_sheet(&[vec![grey(1), grey(2)], vec![grey(3)]], 2);

        assert_eq!(sheet.dimensions(), (2 + 4 + 2 + 4 + 2, 2 + 3 + 2 + 3 + 2));
        let value = |x, y| sheet.get_pixel(x, y)[0];
        assert_eq!([value(2, 2), value(8, 2), value(2, 7), value(8, 7)], [1, 2, 3, 255]);
        assert_eq!([value(1, 2), value(6, 2), value(2, 5)], [255; 3]);
    }

    #[test]
    fn captions_are_above_their_columns() {
        let rows = [vec![RgbImage::new(40, 8), RgbImage::new(40, 8)]];

        let sheet = with_captions(&rows, &["11-20".into(), String::new()], 2);

        let head = sheet.height() - 8 - 2;
        let dark = |from: u32, to: u32| {
            (from..to)
                .flat_map(|x| (0..head).map(move |y| (x, y)))
                .filter(|&(x, y)| sheet.get_pixel(x, y)[0] == 0)
                .count()
        };
        assert!(dark(2, 42) > 0);
        assert_eq!(dark(44, 84), 0);
    }

    #[test]
    fn a_sheet_without_images_has_the_size_of_its_gap() {
        assert_eq!(contact_sheet(&[], 2).dimensions(), (2, 2));
    }
}
