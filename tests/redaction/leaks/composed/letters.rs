//! Letters that are one character or two.

const MARKS: &[(char, &str)] = &[
    ('\u{300}', "àaèeìiòoùuÀAÈE"),
    ('\u{301}', "áaéeíióoúuýyÉEÁAÓOśsźzńnćcάαέεήηίιόούυώω"),
    ('\u{302}', "âaêeîiôoûu"),
    ('\u{303}', "ãañnõoÑN"),
    ('\u{306}', "ăağgйиЙИ"),
    ('\u{308}', "äaëeïiöoüuÄAËEÖOÜUёеЁЕїі"),
    ('\u{30a}', "åaůuÅA"),
    ('\u{30c}', "čcšsžzřrěeČCŠSŽZ"),
    ('\u{327}', "çcşsÇC"),
    ('\u{328}', "ąaęe"),
    (
        '\u{3099}',
        "がかぎきぐくげけごこざさじしだただただだガカギキグクゲケゴコザサジシデテドト",
    ),
];

fn table() -> impl Iterator<Item = (char, char, char)> {
    MARKS.iter().flat_map(|(mark, pairs)| {
        let letters: Vec<char> = pairs.chars().collect();
        let pairs: Vec<_> = letters.chunks(2).map(|p| (p[0], p[1], *mark)).collect();
        pairs.into_iter().filter(|(whole, base, _)| whole != base)
    })
}

/// Letter and mark, or the parts of a Hangul syllable.
pub(crate) fn decompose(c: char) -> String {
    let code = u32::from(c);
    if (0xac00..0xd7a4).contains(&code) {
        let n = code - 0xac00;
        let part = |first: u32, n: u32| char::from_u32(first + n).unwrap();
        let mut out = String::from(part(0x1100, n / 588));
        out.push(part(0x1161, n % 588 / 28));
        if n % 28 > 0 {
            out.push(part(0x11a7, n % 28));
        }
        return out;
    }
    match table().find(|(whole, ..)| *whole == c) {
        Some((_, base, mark)) => String::from_iter([base, mark]),
        None => c.into(),
    }
}

/// The same, and wide forms as usual ones.
pub(crate) fn decompose_wide(c: char) -> String {
    match u32::from(c) {
        code @ 0xff01..0xff5f => char::from_u32(code - 0xfee0).unwrap().into(),
        0xfb01 => "fi".to_owned(),
        _ => decompose(c),
    }
}

/// One letter in place of a letter and its mark.
pub(crate) fn compose(base: char, mark: char) -> Option<char> {
    table()
        .find(|(_, b, m)| (*b, *m) == (base, mark))
        .map(|(whole, ..)| whole)
}
