//! The two languages in which Yuxin speaks to people.

use serde::{Deserialize, Serialize};

/// A language of texts for people. zh-CN is the default everywhere.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
pub enum Language {
    /// Simplified Chinese.
    #[default]
    #[serde(rename = "zh-CN")]
    ZhCn,
    /// English.
    #[serde(rename = "en")]
    En,
}

impl Language {
    /// The BCP 47 tag.
    pub fn tag(self) -> &'static str {
        match self {
            Language::ZhCn => "zh-CN",
            Language::En => "en",
        }
    }

    /// The language an `Accept-Language` header asks for: the best-weighted of the two that it names, else zh-CN.
    pub fn from_accept_language(header: &str) -> Language {
        let mut best = (0.0_f32, Language::ZhCn);
        for item in header.split(',') {
            let mut parts = item.split(';');
            let tag = parts.next().unwrap_or("").trim().to_ascii_lowercase();
            let weight =
                parts.find_map(|p| p.trim().strip_prefix("q=").and_then(|q| q.trim().parse().ok())).unwrap_or(1.0_f32);
            let language = match tag.split('-').next() {
                Some("zh") => Language::ZhCn,
                Some("en") => Language::En,
                _ => continue,
            };
            if weight > best.0 {
                best = (weight, language);
            }
        }
        best.1
    }
}

/// A text in both languages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bilingual {
    /// zh-CN.
    pub zh: &'static str,
    /// English.
    pub en: &'static str,
}

impl Bilingual {
    /// The text in `language`.
    pub fn in_language(&self, language: Language) -> &'static str {
        match language {
            Language::ZhCn => self.zh,
            Language::En => self.en,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_best_weighted_language_wins_and_chinese_is_the_default() {
        for (header, language) in [
            ("", Language::ZhCn),
            ("fr", Language::ZhCn),
            ("en", Language::En),
            ("en-GB,en;q=0.9,zh-CN;q=0.8", Language::En),
            ("en;q=0.3, zh-TW;q=0.7", Language::ZhCn),
            ("en;q=0", Language::ZhCn),
        ] {
            assert_eq!(Language::from_accept_language(header), language, "{header}");
        }
    }
}
