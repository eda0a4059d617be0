"""Everyday words of languages the lexicon does not know: never a name by themselves, whatever a tagger thinks.

Articles, pronouns, prepositions, auxiliaries, greetings and the words of forms and letters, in German, French, Spanish,
Italian, Dutch, Portuguese, the Nordic languages and Polish. Words that are also names are left out.
"""

from __future__ import annotations

import re

from lancelot.redaction.rules.words import words

__all__ = ["EVERYDAY", "without_everyday_ends"]

EVERYDAY = words(
    # German
    "ich du er sie es wir ihr mich dich sich uns euch ihnen mir dir ihm mein meine meinen dein deine sein seine",
    "ihre ihrer ihren unser unsere der die das den dem des ein eine einen einem einer und oder aber auch nicht",
    "kein keine ist sind war waren wird werden wurde hat haben hatte kann können muss müssen soll sollen bitte",
    "danke vielen dank guten tag morgen abend hallo liebe grüße freundlichen herr herrn frau familie dass wenn",
    "weil wie wer wo wann warum hier dort heute gestern noch schon sehr nur mehr mit ohne für gegen bei nach aus",
    "über unter zwischen zurück zusammen gleich kurz rückruf schlüssel rechnung vertrag vertragsnummer kundennr",
    "kundennummer telefonnummer sitzung saal raum fahrzeug kennzeichen halter firma deutsch englisch hauptsache",
    "termin",
    # French
    "je tu il elle nous vous ils elles mon ma mes ton ta tes son sa ses notre votre leur un une le la les des du",
    "au aux et ou mais donc car que qui quoi est sont était être avoir avez avons ont fait merci bonjour bonsoir",
    "madame monsieur appelle habite numéro dossier facture client avec sans pour dans sur sous chez entre depuis",
    "hier demain aujourd hui cette cet ces bien très plus moins réunion",
    # Spanish, Portuguese
    "yo tú nosotros ustedes mi mis tus sus nuestro el los las unos unas pero porque como cuando donde quién es",
    "son está están soy vivo ser estar tengo tiene gracias hola buenos buenas días tardes señor señora por para",
    "desde hasta ayer hoy mañana muy más menos número póliza pedido cita llamen favor eu você ele nós meu minha",
    "não obrigado bom dia moro chamo senhor senhora",
    # Italian
    "io lui lei noi voi loro mio tuo tua suo sua nostro gli uno e o ma perché quando dove chi che è sono era",
    "essere ho ha abbiamo grazie buongiorno buonasera signor signora codice cliente abito chiamo vorrei da con su",
    "ieri oggi domani molto più meno disdire",
    # Dutch
    "ik jij hij zij wij jullie mijn jouw zijn haar ons onze een het en of maar niet geen is waren was heeft",
    "hebben kan moet graag dank groet goedemorgen goedemiddag goedenavond dag mevrouw meneer klantnummer factuur",
    "met zonder voor naar uit over onder tussen gisteren vandaag heel meer woon spreekt",
    # Nordic
    "jeg du han hun vi dere jag ni min mitt din ditt sin ett en og och men ikke inte ikkje er är var har kan må",
    "takk tack hei hej god dag morn herr fru heter bor navn namn nummer faktura med uten för på av i går dag mye",
    "mer",
    # Polish
    "ja on ona my wy oni mój moja twój i oraz ale nie jest są był była być mam ma dzień dobry dziękuję proszę pan",
    "pani pana dla od do z w na po przez wczoraj dzisiaj jutro bardzo więcej numer faktura sprawie nazywam się",
    "mieszkam",
)
_WORD = re.compile(r"[^\W\d_]+")


_FIRST_NAME_BITS = 0b11  # of the tagger's lexicon
_PARTICLES = words("de da di du des del der den van von la le las los el al ter ten zu zum e y i")


def _plain(word: str, lexicon: dict[str, int]) -> bool:
    low = word.lower()
    return low in EVERYDAY and (word.islower() or (len(word) > 3 and not lexicon.get(low, 0) & _FIRST_NAME_BITS))


def without_everyday_ends(text: str, start: int, end: int, lexicon: dict[str, int]) -> tuple[int, int]:
    """The stretch less the small everyday words at its ends; an empty one when nothing else is in it.

    With a capital, as German nouns and the beginnings of sentences have it, a word that is also a first name is a name.
    """
    found = list(_WORD.finditer(text, start, end))
    plain = [_plain(match.group(), lexicon) for match in found]
    if not any(plain):
        return start, end
    if all(plain):
        return (start, end) if any(c.isdigit() for c in text[start:end]) else (start, start)
    while plain and plain[0] and found[0].group().islower() and found[0].group() not in _PARTICLES:
        found, plain = found[1:], plain[1:]
        start = found[0].start()
    while plain and plain[-1] and found[-1].group().islower() and text[found[-1].end() : end].strip() == "":
        found, plain = found[:-1], plain[:-1]
        end = found[-1].end()
    return start, end
