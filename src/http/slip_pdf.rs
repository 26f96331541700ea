//! The slip of a crate as a PDF page: its label as Code 128, where it goes in large letters, what lies in it.
//! The Chinese letters come from the viewer: the page names the standard font STSong-Light and the encoding
//! UniGB-UTF16-H, which every PDF viewer knows. Nothing is embedded, so no font has to be installed here.

use barcoders::sym::code128::Code128;
use pdf_writer::types::{CidFontType, FontFlags, SystemInfo};
use pdf_writer::{Content, Finish, Name, Pdf, Rect, Ref, Str};

use crate::usecase::list_crates::CrateSlip;

/// A4, in points.
const PAGE: (f32, f32) = (595.0, 842.0);
const MARGIN: f32 = 42.0;
/// Code 128 with letters only.
const CHARSET_B: char = '\u{181}';
const CHARSET_C: char = '\u{106}';
/// The narrowest line of the barcode: 0.5 mm, which a hand scanner reads at arm's length.
const MODULE: f32 = 1.42;
const BARS_HEIGHT: f32 = 71.0;
/// Barcodes of items: four columns of fifty.
const COLUMNS: usize = 4;

const SONG: Name<'static> = Name(b"Song");
const PLAIN: Name<'static> = Name(b"Plain");

/// Draws the page.
pub fn draw(slip: &CrateSlip) -> Vec<u8> {
    let mut numbers = 1..;
    let mut next = || Ref::new(numbers.next().unwrap_or(1));
    let (catalog, tree, page_id, content, song, plain, cid, descriptor) =
        (next(), next(), next(), next(), next(), next(), next(), next());
    let mut pdf = Pdf::new();
    pdf.catalog(catalog).pages(tree);
    pdf.pages(tree).kids([page_id]).count(1);
    let mut page = pdf.page(page_id);
    page.media_box(Rect::new(0.0, 0.0, PAGE.0, PAGE.1));
    page.parent(tree).contents(content);
    page.resources().fonts().pair(SONG, song).pair(PLAIN, plain);
    page.finish();
    pdf.stream(content, &drawn(slip));
    pdf.type1_font(plain).base_font(Name(b"Helvetica"));
    standard_chinese(&mut pdf, song, cid, descriptor);
    pdf.finish()
}

/// STSong-Light, as PDF has known it since 1.2, without an embedded file.
fn standard_chinese(pdf: &mut Pdf, font: Ref, cid: Ref, descriptor: Ref) {
    let name = Name(b"STSong-Light");
    pdf.type0_font(font)
        .base_font(name)
        .encoding_predefined(Name(b"UniGB-UTF16-H"))
        .descendant_font(cid);
    let mut letters = pdf.cid_font(cid);
    letters.subtype(CidFontType::Type0).base_font(name);
    letters.system_info(SystemInfo {
        registry: Str(b"Adobe"),
        ordering: Str(b"GB1"),
        supplement: 5,
    });
    letters.font_descriptor(descriptor).default_width(1000.0);
    // Latin letters take half the width.
    letters.widths().same(1, 95, 500.0);
    letters.finish();
    pdf.font_descriptor(descriptor)
        .name(name)
        .flags(FontFlags::SERIF | FontFlags::SYMBOLIC)
        .bbox(Rect::new(-25.0, -254.0, 1000.0, 880.0))
        .italic_angle(0.0)
        .ascent(880.0)
        .descent(-120.0)
        .cap_height(880.0)
        .stem_v(93.0);
}

fn drawn(slip: &CrateSlip) -> pdf_writer::Buf {
    let mut content = Content::new();
    let mut y = PAGE.1 - MARGIN - 24.0;
    song(&mut content, 24.0, (MARGIN, y), "周转箱 Crate");
    y -= 22.0 + BARS_HEIGHT;
    bars(&mut content, &slip.label, (MARGIN, y));
    plain(&mut content, 18.0, (MARGIN, y - 20.0), &slip.label);
    y -= 74.0;
    song(&mut content, 34.0, (MARGIN, y), &format!("送往 {}", slip.to_unit_name));
    plain(&mut content, 14.0, (MARGIN, y - 22.0), &slip.to_unit_code);
    y -= 58.0;
    song(
        &mut content,
        18.0,
        (MARGIN, y),
        &format!("来自 {}", slip.from_unit_name),
    );
    plain(&mut content, 12.0, (MARGIN, y - 18.0), &slip.from_unit_code);
    y -= 48.0;
    let route = slip
        .route_code
        .as_deref()
        .map(|code| format!("  路线 {code}"))
        .unwrap_or_default();
    song(&mut content, 18.0, (MARGIN, y), &format!("共 {} 册{route}", slip.items));
    y -= 24.0;
    let rows = slip.item_barcodes.len().div_ceil(COLUMNS).max(1);
    let width = (PAGE.0 - 2.0 * MARGIN) / COLUMNS as f32;
    for (at, barcode) in slip.item_barcodes.iter().enumerate() {
        let place = (MARGIN + width * (at / rows) as f32, y - 9.0 * (at % rows) as f32);
        plain(&mut content, 7.5, place, barcode);
    }
    content.finish()
}

/// The label as filled bars; nothing for a text that Code 128 does not know, which no label is.
fn bars(content: &mut Content, label: &str, (x, y): (f32, f32)) {
    let (letters, digits) = label.split_at(label.len().min(1));
    let coded = Code128::new(format!("{CHARSET_B}{letters}{CHARSET_C}{digits}"));
    let Ok(coded) = coded else { return };
    for (at, module) in coded.encode().into_iter().enumerate() {
        if module == 1 {
            content.rect(x + MODULE * at as f32, y, MODULE, BARS_HEIGHT);
        }
    }
    content.fill_nonzero();
}

fn song(content: &mut Content, size: f32, (x, y): (f32, f32), text: &str) {
    let coded: Vec<u8> = text.encode_utf16().flat_map(u16::to_be_bytes).collect();
    content.begin_text().set_font(SONG, size).next_line(x, y);
    content.show(Str(&coded)).end_text();
}

/// Visible ASCII.
fn plain(content: &mut Content, size: f32, (x, y): (f32, f32), text: &str) {
    content.begin_text().set_font(PLAIN, size).next_line(x, y);
    content.show(Str(text.as_bytes())).end_text();
}

#[cfg(test)]
mod tests {
    use super::*;

    fn slip() -> CrateSlip {
        CrateSlip {
            label: "X000000104276".to_owned(),
            from_unit_code: "M1".to_owned(),
            from_unit_name: "江汉区图书馆".to_owned(),
            to_unit_code: "M2".to_owned(),
            to_unit_name: "青山区图书馆".to_owned(),
            route_code: Some("R1".to_owned()),
            items: 2,
            item_barcodes: vec!["0100001234567".to_owned(), "(0100)".to_owned()],
        }
    }

    fn has(page: &[u8], bytes: &[u8]) -> bool {
        page.windows(bytes.len()).any(|window| window == bytes)
    }

    #[test]
    fn a_slip_is_a_pdf_with_the_names_in_utf16_and_one_bar_for_each_dark_run() {
        let page = draw(&slip());
        assert!(page.starts_with(b"%PDF-"));
        assert!(has(&page, b"UniGB-UTF16-H") && has(&page, b"/STSong-Light"));
        let drawn = drawn(&slip());
        assert!(has(&drawn, b"0100001234567"));
        // A bracket in a barcode does not end the text: it is escaped, or all of it is written as hex.
        assert!(has(&drawn, b"\\(0100\\)") || has(&drawn, b"((0100))") || has(&drawn, b"<283031303029>"));
        // 周 is U+5468, 转 U+8F6C: the first letters of the page.
        assert!(has(&drawn, &[0x54, 0x68, 0x8f, 0x6c]) || has(&drawn, b"54688F6C"));
        // Start B, X, code C, six pairs, check: eleven modules each of which about half are dark, and the stop.
        let dark = drawn.windows(4).filter(|window| window == b" re\n").count();
        assert!((40..80).contains(&dark), "{dark}");
    }
}
