//! Latin letters with marks: putting a base and its marks together, and taking them apart for search.
//!
//! For MARC-8, which writes the mark before the letter, and for search, where `cafe` finds `café`. Covers the
//! letters Unicode composes from Latin bases; it is no general Unicode normalisation.

use std::collections::HashMap;
use std::sync::LazyLock;

/// Each mark with pairs of a base and the letter it makes (Unicode canonical compositions of Latin letters).
#[rustfmt::skip]
const COMPOSITIONS: &[(char, &str)] = &[
    ('\u{0300}', "AÀEÈIÌOÒUÙaàeèiìoòuùÜǛüǜNǸnǹĒḔēḕŌṐōṑWẀwẁÂẦâầĂẰăằÊỀêềÔỒôồƠỜơờƯỪưừYỲyỳ"),
    ('\u{0301}', "AÁEÉIÍOÓUÚYÝaáeéiíoóuúyýCĆcćLĹlĺNŃnńRŔrŕSŚsśZŹzźÜǗüǘGǴgǵÅǺåǻÆǼæǽØǾøǿÇḈçḉĒḖēḗÏḮïḯKḰkḱMḾmḿÕṌõṍŌṒōṓPṔpṕ"),
    ('\u{0301}', "ŨṸũṹWẂwẃÂẤâấĂẮăắÊẾêếÔỐôốƠỚơớƯỨưứ"),
    ('\u{0302}', "AÂEÊIÎOÔUÛaâeêiîoôuûCĈcĉGĜgĝHĤhĥJĴjĵSŜsŝWŴwŵYŶyŷZẐzẑẠẬạậẸỆẹệỌỘọộ"),
    ('\u{0303}', "AÃNÑOÕaãnñoõIĨiĩUŨuũVṼvṽÂẪâẫĂẴăẵEẼeẽÊỄêễÔỖôỗƠỠơỡƯỮưữYỸyỹ"),
    ('\u{0304}', "AĀaāEĒeēIĪiīOŌoōUŪuūÜǕüǖÄǞäǟȦǠȧǡÆǢæǣǪǬǫǭÖȪöȫÕȬõȭȮȰȯȱYȲyȳGḠgḡḶḸḷḹṚṜṛṝ"),
    ('\u{0306}', "AĂaăEĔeĕGĞgğIĬiĭOŎoŏUŬuŭȨḜȩḝẠẶạặ"),
    ('\u{0307}', "CĊcċEĖeėGĠgġIİZŻzżAȦaȧOȮoȯBḂbḃDḊdḋFḞfḟHḢhḣMṀmṁNṄnṅPṖpṗRṘrṙSṠsṡŚṤśṥŠṦšṧṢṨṣṩTṪtṫWẆwẇXẊxẋYẎyẏſẛ"),
    ('\u{0308}', "AÄEËIÏOÖUÜaäeëiïoöuüyÿYŸHḦhḧÕṎõṏŪṺūṻWẄwẅXẌxẍtẗ"),
    ('\u{0309}', "AẢaảÂẨâẩĂẲăẳEẺeẻÊỂêểIỈiỉOỎoỏÔỔôổƠỞơởUỦuủƯỬưửYỶyỷ"),
    ('\u{030a}', "AÅaåUŮuůwẘyẙ"),
    ('\u{030b}', "OŐoőUŰuű"),
    ('\u{030c}', "CČcčDĎdďEĚeěLĽlľNŇnňRŘrřSŠsšTŤtťZŽzžAǍaǎIǏiǐOǑoǒUǓuǔÜǙüǚGǦgǧKǨkǩƷǮʒǯjǰHȞhȟ"),
    ('\u{030f}', "AȀaȁEȄeȅIȈiȉOȌoȍRȐrȑUȔuȕ"),
    ('\u{0311}', "AȂaȃEȆeȇIȊiȋOȎoȏRȒrȓUȖuȗ"),
    ('\u{031b}', "OƠoơUƯuư"),
    ('\u{0323}', "BḄbḅDḌdḍHḤhḥKḲkḳLḶlḷMṂmṃNṆnṇRṚrṛSṢsṣTṬtṭVṾvṿWẈwẉZẒzẓAẠaạEẸeẹIỊiịOỌoọƠỢơợUỤuụƯỰưựYỴyỵ"),
    ('\u{0324}', "UṲuṳ"),
    ('\u{0325}', "AḀaḁ"),
    ('\u{0326}', "SȘsșTȚtț"),
    ('\u{0327}', "CÇcçGĢgģKĶkķLĻlļNŅnņRŖrŗSŞsşTŢtţEȨeȩDḐdḑHḨhḩ"),
    ('\u{0328}', "AĄaąEĘeęIĮiįUŲuųOǪoǫ"),
    ('\u{032d}', "DḒdḓEḘeḙLḼlḽNṊnṋTṰtṱUṶuṷ"),
    ('\u{032e}', "HḪhḫ"),
    ('\u{0330}', "EḚeḛIḬiḭUṴuṵ"),
    ('\u{0331}', "BḆbḇDḎdḏKḴkḵLḺlḻNṈnṉRṞrṟTṮtṯZẔzẕhẖ"),
];

static COMPOSED: LazyLock<HashMap<(char, char), char>> =
    LazyLock::new(|| pairs().map(|(mark, base, letter)| ((base, mark), letter)).collect());

static BASES: LazyLock<HashMap<char, char>> =
    LazyLock::new(|| pairs().map(|(_, base, letter)| (letter, base)).collect());

fn pairs() -> impl Iterator<Item = (char, char, char)> {
    COMPOSITIONS.iter().flat_map(|&(mark, text)| {
        let bases = text.chars().step_by(2);
        let letters = text.chars().skip(1).step_by(2);
        bases.zip(letters).map(move |(base, letter)| (mark, base, letter))
    })
}

/// Appends `base` with `marks` to `out`, as one letter where Unicode has it.
pub(super) fn push_composed(out: &mut String, base: char, marks: &mut [char]) {
    // Unicode composes marks below before marks above, whatever order they were typed in.
    marks.sort_by_key(|&mark| combining_class(mark));
    let mut letter = base;
    let mut left = 0;
    for at in 0..marks.len() {
        match COMPOSED.get(&(letter, marks[at])) {
            Some(&composed) => letter = composed,
            None => {
                marks[left] = marks[at];
                left += 1;
            }
        }
    }
    out.push(letter);
    out.extend(&marks[..left]);
}

fn combining_class(mark: char) -> u8 {
    match mark {
        '\u{0327}' | '\u{0328}' => 202,
        '\u{031b}' => 216,
        '\u{031c}' | '\u{0323}'..='\u{0326}' | '\u{032d}'..='\u{0333}' => 220,
        '\u{0315}' => 232,
        '\u{0360}' | '\u{0361}' => 234,
        _ => 230,
    }
}

/// True for a mark that search ignores.
pub(super) fn is_mark(c: char) -> bool {
    matches!(c, '\u{0300}'..='\u{036f}' | '\u{fe20}'..='\u{fe2f}')
}

/// The letter without its marks: `ế` becomes `e`. Anything else stays as it is.
pub(super) fn base_of(c: char) -> char {
    let mut letter = c;
    while let Some(&base) = BASES.get(&letter) {
        letter = base;
    }
    letter
}

#[cfg(test)]
mod tests {
    use super::*;

    fn composed(base: char, marks: &[char]) -> String {
        let mut out = String::new();
        push_composed(&mut out, base, &mut marks.to_vec());
        out
    }

    #[test]
    fn marks_compose_in_any_order() {
        assert_eq!(composed('e', &['\u{0301}']), "é");
        assert_eq!(composed('e', &['\u{0302}', '\u{0301}']), "ế");
        assert_eq!(composed('e', &['\u{0302}', '\u{0323}']), "ệ");
        assert_eq!(composed('e', &['\u{0323}', '\u{0302}']), "ệ");
        assert_eq!(composed('x', &['\u{0301}']), "x\u{0301}");
    }

    #[test]
    fn letters_lose_all_their_marks() {
        assert_eq!(base_of('ế'), 'e');
        assert_eq!(base_of('ǜ'), 'u');
        assert_eq!(base_of('中'), '中');
    }
}
