//! What a font dictionary says about a typeface: its name, weight and slope.

use std::collections::HashMap;
use std::rc::Rc;

use hayro_syntax::object::{Array, Dict, Name};

use super::page::Style;

/// A typeface.
#[derive(Clone, Debug, Default)]
pub(super) struct Face {
    pub style: Style,
    /// A font of pictures, whose letters are not letters.
    pub symbolic: bool,
}

/// The typefaces of a document, by name.
#[derive(Default)]
pub(super) struct Faces {
    known: HashMap<String, Rc<Face>>,
}

impl Faces {
    /// The face of the font that `dict` describes.
    pub fn of(&mut self, dict: &Dict<'_>) -> Rc<Face> {
        let base = dict
            .get::<Name<'_>>("BaseFont")
            .map(|name| name.as_str().to_owned())
            .unwrap_or_default();
        // Without a name (Type 3) the object's number tells fonts apart.
        let key = match (&*base, dict.obj_id()) {
            ("", Some(id)) => format!("#{id:?}"),
            _ => base.clone(),
        };
        if let Some(face) = self.known.get(&key) {
            return face.clone();
        }
        let descriptor = dict.get::<Dict<'_>>("FontDescriptor").or_else(|| {
            let fonts = dict.get::<Array<'_>>("DescendantFonts")?;
            let font = fonts.iter::<Dict<'_>>().next()?;
            font.get::<Dict<'_>>("FontDescriptor")
        });
        let number = |key: &str| descriptor.as_ref().and_then(|dict| dict.get::<f32>(key));
        let flags = number("Flags").unwrap_or_default() as u32;
        let name = base.split_once('+').map_or(&*base, |(_, name)| name);
        let face = Rc::new(Face {
            style: Style {
                face: u16::try_from(self.known.len() + 1).unwrap_or(u16::MAX),
                bold: is_bold(name)
                    || number("FontWeight").is_some_and(|weight| weight >= 600.0)
                    || number("StemV").is_some_and(|stem| (115.0..400.0).contains(&stem))
                    || flags & (1 << 18) != 0,
                italic: is_italic(name)
                    || number("ItalicAngle").is_some_and(|angle| angle != 0.0)
                    || flags & (1 << 6) != 0,
            },
            symbolic: is_symbolic(name),
        });
        self.known.insert(key, face.clone());
        face
    }
}

fn tokens(name: &str) -> impl Iterator<Item = &str> {
    name.split(['-', ',', '.', '_', ' ', '+'])
}

fn is_bold(name: &str) -> bool {
    let lower = name.to_ascii_lowercase();
    ["bold", "black", "heavy", "demi"].iter().any(|word| lower.contains(word))
        || tokens(name).skip(1).any(|token| {
            matches!(token, "B" | "Bd" | "BI" | "BdIt" | "BoldMT" | "Semi" | "SemiB" | "bd")
        })
        // Computer Modern: bold extended.
        || lower.starts_with("cmbx")
        || lower.starts_with("cmssbx")
}

fn is_italic(name: &str) -> bool {
    let lower = name.to_ascii_lowercase();
    ["italic", "oblique", "slanted", "kursiv"]
        .iter()
        .any(|word| lower.contains(word))
        || tokens(name)
            .skip(1)
            .any(|token| matches!(token, "I" | "It" | "BI" | "BdIt" | "LtIt" | "i"))
        || lower.starts_with("cmti")
        || lower.starts_with("cmmi")
}

fn is_symbolic(name: &str) -> bool {
    let lower = name.to_ascii_lowercase();
    ["wingding", "webding", "dingbat"]
        .iter()
        .any(|word| lower.contains(word))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn weight_and_slope_are_read_from_the_name() {
        for name in [
            "Arial-BoldMT",
            "TimesNewRoman,Bold",
            "Univers.Bd",
            "CMBX10",
            "Frutiger-Black",
            "AdvPS-B",
        ] {
            assert!(is_bold(name), "{name}");
        }
        for name in ["Arial", "B", "Times-Roman", "Baskerville"] {
            assert!(!is_bold(name), "{name}");
        }
        assert!(is_italic("Times-Italic") && is_italic("AdvPS-I") && !is_italic("Times-Roman"));
        assert!(is_symbolic("Wingdings-Regular") && !is_symbolic("Symbol"));
    }
}
