//! QR codes as images, at error correction level M: black on white, with the quiet zone that scanners need.

use std::fmt::Write;

use qrcode::{Color, EcLevel, QrCode};

use super::problem::{Code, Problem};

/// Modules of white around the code.
const QUIET: usize = 4;
/// Pixels of a module in a PNG: sharp on a phone, and a few kilobytes.
const SCALE: usize = 8;

/// The modules of a code, row by row; true is black.
struct Modules {
    width: usize,
    black: Vec<bool>,
}

fn modules(text: &str) -> Result<Modules, Problem> {
    let code = QrCode::with_error_correction_level(text, EcLevel::M)
        .map_err(|error| Problem::of(Code::Internal).cause(format!("a QR code: {error}")))?;
    Ok(Modules {
        width: code.width(),
        black: code.to_colors().into_iter().map(|color| color == Color::Dark).collect(),
    })
}

impl Modules {
    /// With the quiet zone around.
    fn is_black(&self, x: usize, y: usize) -> bool {
        let at = |n: usize| n.checked_sub(QUIET).filter(|n| *n < self.width);
        match (at(x), at(y)) {
            (Some(x), Some(y)) => self.black.get(y * self.width + x).copied().unwrap_or(false),
            _ => false,
        }
    }

    const fn size(&self) -> usize {
        self.width + 2 * QUIET
    }
}

/// One path, a unit per module: it scales to any size.
///
/// # Errors
/// `Internal` for a text that no code can hold.
pub fn svg(text: &str) -> Result<String, Problem> {
    let modules = modules(text)?;
    let size = modules.size();
    let mut path = String::new();
    for y in 0..size {
        for x in (0..size).filter(|x| modules.is_black(*x, y)) {
            // Writing into a String does not fail.
            let _ = write!(path, "M{x} {y}h1v1h-1z");
        }
    }
    Ok(format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {size} {size}\" shape-rendering=\"crispEdges\">\
         <path fill=\"#fff\" d=\"M0 0h{size}v{size}H0z\"/><path fill=\"#000\" d=\"{path}\"/></svg>"
    ))
}

/// One bit per pixel.
///
/// # Errors
/// As [`svg`].
pub fn png(text: &str) -> Result<Vec<u8>, Problem> {
    let modules = modules(text)?;
    let pixels = modules.size() * SCALE;
    let mut rows = Vec::with_capacity(pixels * pixels.div_ceil(8));
    for y in 0..pixels {
        let mut row = vec![0_u8; pixels.div_ceil(8)];
        // A set bit is white.
        for x in (0..pixels).filter(|x| !modules.is_black(x / SCALE, y / SCALE)) {
            row[x / 8] |= 0x80 >> (x % 8);
        }
        rows.extend(row);
    }
    let failed = |error: png::EncodingError| Problem::of(Code::Internal).cause(format!("a PNG: {error}"));
    let side = u32::try_from(pixels).map_err(|_| Problem::of(Code::Internal))?;
    let mut image = Vec::new();
    let mut encoder = png::Encoder::new(&mut image, side, side);
    encoder.set_color(png::ColorType::Grayscale);
    encoder.set_depth(png::BitDepth::One);
    let mut writer = encoder.write_header().map_err(failed)?;
    writer.write_image_data(&rows).map_err(failed)?;
    writer.finish().map_err(failed)?;
    Ok(image)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_images_show_the_same_modules_within_a_quiet_zone() {
        let text = "eyJ0eXAiOiJjYXJkK2p3dCJ9.eyJzdWIiOiIxIn0.c2ln";
        let modules = modules(text).expect("fits");
        let svg = svg(text).expect("drawn");
        let image = png(text).expect("drawn");
        let mut reader = png::Decoder::new(std::io::Cursor::new(&image))
            .read_info()
            .expect("a PNG");
        let mut rows = vec![0; reader.output_buffer_size().expect("small")];
        let frame = reader.next_frame(&mut rows).expect("a frame");
        assert_eq!(frame.width as usize, modules.size() * SCALE);
        for y in 0..modules.size() {
            for x in 0..modules.size() {
                let black = modules.is_black(x, y);
                assert_eq!(svg.contains(&format!("M{x} {y}h1v1h-1z")), black, "{x} {y}");
                let (px, py) = (x * SCALE, y * SCALE);
                let byte = rows[py * frame.line_size + px / 8];
                assert_eq!(byte & (0x80 >> (px % 8)) == 0, black, "{x} {y}");
            }
        }
        assert!(modules.is_black(QUIET, QUIET), "the corner of a finder");
        assert!(!modules.is_black(QUIET - 1, QUIET));
    }
}
