//! Words that sentences turn on: abbreviations before a stop, beginnings after it.

/// What a word before a full stop lets the stop mean.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Kind {
    /// No abbreviation: the stop ends the sentence.
    Word,
    /// The number or letter of a list item.
    Marker,
    /// Never the last word: `Mr.`, `e.g.`.
    Never,
    /// An abbreviation before a number or month, else a last word: `No.`, `Nov.`.
    BeforeNumber,
    /// `a.m.`, `p.m.`.
    Clock,
    /// Ends a sentence only if the next word is a usual beginning: `U.S.`, `Inc.`, initials.
    MayEnd,
}

pub(super) fn abbreviation(word: &str) -> Kind {
    match word {
        "a.m" | "p.m" | "A.M" | "P.M" => Kind::Clock,
        _ if has(NEVER, word) => Kind::Never,
        _ if has(BEFORE_NUMBER, word) || has(SHORT_MONTHS, word) => Kind::BeforeNumber,
        _ if has(MAY_END, word) || is_acronym(word) => Kind::MayEnd,
        _ => Kind::Word,
    }
}

/// `word` is one of the words of `list`.
pub(super) fn has(list: &str, word: &str) -> bool {
    list.split_ascii_whitespace().any(|known| known == word)
}

/// Letters, each with its stop: an initial, `U.S`, `z.B`; pairs such as the `Ph` of `Ph.D` too.
fn is_acronym(word: &str) -> bool {
    let single = !word.contains('.');
    word.split('.').all(|part| {
        let mut chars = part.chars();
        let (first, second, third) = (chars.next(), chars.next(), chars.next());
        match (first, second, third) {
            (Some(c), None, None) => c.is_uppercase() || c.is_lowercase(),
            (Some(c), Some(d), None) => !single && c.is_uppercase() && d.is_lowercase(),
            _ => false,
        }
    })
}

pub(super) fn is_marker(token: &str) -> bool {
    token.bytes().all(|b| b.is_ascii_digit())
        || token.chars().count() == 1
        || token.bytes().all(|b| matches!(b, b'I' | b'V' | b'X'))
}

/// `iPhone`, `eBay`, `al-Sisi`, `d'Estaing`: begins small, yet is a name.
pub(super) fn is_brand(word: &str) -> bool {
    let rest = word.trim_start_matches(char::is_lowercase);
    let small = word.len() - rest.len();
    let rest = rest.trim_start_matches(['-', '\'', '’']);
    (1..=3).contains(&small) && rest.starts_with(char::is_uppercase)
}

pub(super) fn is_month(word: &str) -> bool {
    has(MONTHS, word) || has(SHORT_MONTHS, word)
}

pub(super) fn titlecase(word: &str) -> String {
    let mut chars = word.chars();
    chars.next().map_or_else(String::new, |first| {
        first
            .to_uppercase()
            .chain(chars.flat_map(char::to_lowercase))
            .collect()
    })
}

/// Abbreviations that want what follows: titles, and words inside a sentence.
const NEVER: &str = "Mr Mrs Ms Mx Dr Drs Prof Gen Sen Sens Rep Reps Gov Govs Lt Col Sgt Capt Cmdr Cdr Adm Maj Brig Pvt Cpl Spc
    Rev Fr Hon Pres Messrs Mme Mlle Supt Det Insp Amb Atty Msgr Sec Asst Mt Ft Cmdt Comdr Const Hr
    e.g i.e eg ie cf viz vs Vs approx ca incl esp resp aka";

/// Abbreviations before a number; else words or last words.
const BEFORE_NUMBER: &str =
    "No Nos no nos Nr Rs Art Arts Sect Vol Vols Ch Para Res Apt Rm Tel tel Fig Figs Ext ext pp vol
    ch est sq lb lbs oz ft Mon Tue Tues Wed Thu Thur Thurs Fri Sat Sun";

/// Abbreviations that end a sentence about as often as not: companies, streets, states of the US in the agencies' style.
const MAY_END: &str = "Inc Corp Ltd Co Cos Bros Jr Sr St Ste Sts Ave Blvd Rd Hwy Dept Univ Assn Assoc Esq Natl Intl al Govt govt
    dept Ala Ariz Ark Calif Colo Conn Del Fla Ga Ill Ind Kan Ky La Md Mass Mich Minn Miss Mo Mont Neb Nev Okla Ore Pa Tenn Tex
    Va Vt Wash Wis Wyo Ont Que Alta";

const MONTHS: &str =
    "January February March April May June July August September October November December
    Januar Februar März Mai Juni Juli Oktober Dezember";

const SHORT_MONTHS: &str = "Jan Feb Mar Apr Jun Jul Aug Sep Sept Oct Nov Dec";

/// What may follow an hour: days, and the first words of time zones.
pub(super) const DAYS: &str = "Monday Tuesday Wednesday Thursday Friday Saturday Sunday Mon Tue Tues Wed Thu Thurs Fri Sat Sun
    Eastern Central Mountain Pacific Greenwich";

/// Words that often begin a sentence and are hardly ever part of a name or a title.
pub(super) const STARTERS: &str = "A About According After All Also Although An And Another Any As At Because Before Both But By Despite
    During Each Earlier Even Every Few For From He Her Here His How However I If In Instead It Its Last Later Many Meanwhile
    More Most Mr Mrs Ms Much My Neither Nevertheless No Nobody None Nor Not Nothing Now Officials On Once One Only Or Other
    Others Our Over Several She Since So Some Still Such That The Their Then There These They This Those Though Thus To Under
    Until We What When Where Whether Which While Who Why With Without Yet You Your";

/// Verbs of speech, in the form that follows a quotation.
pub(super) const SPEECH: &str = "added adds answered asked asks called cried demanded exclaimed inquired joked quipped replied said says
    shouted told wondered wrote yelled";

/// Small words inside names.
pub(super) const PARTICLES: &str = "the of de da di van von der bin al el";
