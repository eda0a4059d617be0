"""Everyday words of languages the lexicon does not know: never a name by themselves, whatever a tagger thinks.

Articles, pronouns, prepositions, auxiliaries, greetings and the words of forms and letters, in German, French, Spanish,
Italian, Dutch, Portuguese, the Nordic languages and Polish. Words that are also names are left out.
"""

from __future__ import annotations

import re

from lancelot.redaction.rules.words import words

__all__ = ["EVERYDAY", "without_everyday_ends"]

EVERYDAY = words(
    # greetings, kin
    "moin hoi salut coucou ciao buenas oi olá hej hei servus kwijt kontakt contacto contato contatto",
    "vater mutter bruder schwester sohn tochter onkel père mère frère soeur sœur fils fille hermano hermana hijo hija",
    "cuñado cuñada suegro suegra fratello sorella figlio figlia zio zia irmão irmã filho filha pai mãe avó avô",
    "vader moeder broer zus zoon dochter dottoressa doctora doutora",
    # German
    "ich du er sie es wir ihr mich dich sich uns euch ihnen mir dir ihm mein meine meinen dein deine sein seine",
    "ihre ihrer ihren unser unsere der die das den dem des ein eine einen einem einer und oder aber auch nicht",
    "kein keine ist sind war waren wird werden wurde hat haben hatte kann können muss müssen soll sollen bitte",
    "danke vielen dank guten tag morgen abend hallo liebe grüße freundlichen herr herrn frau familie dass wenn",
    "weil wie wer wo wann warum hier dort heute gestern noch schon sehr nur mehr mit ohne für gegen bei nach aus",
    "über unter zwischen zurück zusammen gleich kurz rückruf schlüssel rechnung vertrag vertragsnummer kundennr",
    "kundennummer telefonnummer sitzung saal raum fahrzeug kennzeichen halter firma deutsch englisch hauptsache",
    "termin betreff kündigung widerruf bestellung lieferung liefertermin angebot auftrag auftragsnummer mitglied",
    "mitgliedsnummer kunde kunden kundin betrag zahlbar mahnung überweisung konto steuer beginn ende datum uhrzeit uhr",
    "vorname nachname geboren geb wohnhaft anschrift adresse telefon handy anbei anlage befund befunde patient",
    "patientin versicherung versicherungsnummer krankenkasse arbeitsvertrag gehalt urlaub antrag bescheid schreiben",
    "schreib schick schicken sende senden ruf rufen melde melden sagen fragen gefragt erstellen erstelle prüfen prüfe",
    "liegen liegt vor verschoben verschieben absender empfänger grüßen grüßt geehrte geehrter geehrten sehr lieber",
    "wetter morgens abends montag dienstag mittwoch donnerstag freitag samstag sonntag januar februar märz april mai",
    "juni juli august oktober dezember monat woche jahr",
    # French
    "je tu il elle nous vous ils elles mon ma mes ton ta tes son sa ses notre votre leur un une le la les des du",
    "au aux et ou mais donc car que qui quoi est sont était être avoir avez avons ont fait merci bonjour bonsoir",
    "madame monsieur appelle habite numéro dossier facture client avec sans pour dans sur sous chez entre depuis",
    "hier demain aujourd hui cette cet ces bien très plus moins réunion rendez vous objet réclamation commande colis",
    "livraison adresse téléphone mobile courriel né née habite habitant habiter voici ci joint cordialement",
    "salutations distinguées veuillez pouvez pourriez faites dites écris écrivez envoyez envoie rappelez appelez",
    "contrat client cliente patient patiente montant paiement banque compte carte société siège siret lundi mardi",
    "mercredi jeudi vendredi samedi dimanche janvier février mars avril juin juillet août septembre octobre novembre",
    "décembre mois semaine année gardienne voisin voisine proche cherche chercher besoin svp",
    # Spanish, Portuguese
    "yo tú nosotros ustedes mi mis tus sus nuestro el los las unos unas pero porque como cuando donde quién es",
    "son está están soy vivo ser estar tengo tiene gracias hola buenos buenas días tardes señor señora por para",
    "às ao aos pela pelo",
    "desde hasta ayer hoy mañana muy más menos número póliza pedido cita llamen favor eu você ele nós meu minha",
    "não obrigado bom dia moro chamo senhor senhora estimado estimada estimados atentamente saludos cordial cordiales",
    "adjunto adjunta adjuntos factura nómina contrato paciente antecedentes refiere responde avisar avise llamar llame",
    "escriba escribe envíe enviar dirección teléfono móvil correo domicilio nacido nacida cliente clienta seguridad",
    "social cuenta banco importe pago vencimiento lunes martes miércoles jueves viernes sábado domingo enero febrero",
    "marzo abril mayo junio julio agosto septiembre octubre noviembre diciembre mes semana año años servidor prezado",
    "prezada prezados cumprimentos atenciosamente segue seguem reunião levar leve enviar envie escreva ligar ligue",
    "morada telefone telemóvel fatura boleto valor contabilidade nascido nascida cliente conta",
    "janeiro fevereiro março maio junho julho setembro outubro novembro dezembro mês semana ano",
    # Italian
    "io lui lei noi voi loro mio tuo tua suo sua nostro gli uno e o ma perché quando dove chi che è sono era",
    "essere ho ha abbiamo grazie buongiorno buonasera signor signora codice cliente abito chiamo vorrei da con su",
    "ieri oggi domani molto più meno disdire gentile gentili egregio spettabile allego allegato allegata fattura",
    "fatture intestata intestato contratto potete potrebbe scrivi scrivere scrivete invia inviare chiama chiamare",
    "indirizzo telefono cellulare nato nata residente paziente importo pagamento banca conto saluti cordiali distinti",
    "lunedì martedì mercoledì giovedì venerdì sabato domenica gennaio febbraio marzo aprile maggio giugno luglio",
    "agosto settembre ottobre dicembre mese settimana anno piano rumore lettera",
    # Dutch
    "ik jij hij zij wij jullie mijn jouw zijn haar ons onze een het en of maar niet geen is waren was heeft",
    "hebben kan moet graag dank groet goedemorgen goedemiddag goedenavond dag mevrouw meneer klantnummer factuur",
    "met zonder voor naar uit over onder tussen gisteren vandaag heel meer woon spreekt beste geachte groet groeten",
    "groetjes vriendelijke bijlage factuurnummer klant klanten adres telefoon telefoonnummer geboren geboortedatum",
    "ontbreekt dossier betaling rekening rekeningnummer contract afspraak patiënt maandag dinsdag woensdag donderdag",
    "vrijdag zaterdag zondag januari februari maart april mei juni juli augustus oktober december maand week jaar",
    "schrijf stuur bel bellen graag alvast",
    # Nordic
    "jeg du han hun vi dere jag ni min mitt din ditt sin ett en og och men ikke inte ikkje er är var har kan må",
    "takk tack hei hej god dag morn herr fru heter bor navn namn nummer faktura med uten för på av i går dag mye",
    "mer",
    # Polish
    "ja on ona my wy oni mój moja twój i oraz ale nie jest są był była być mam ma dzień dobry dziękuję proszę pan",
    "pani pana dla od do z w na po przez wczoraj dzisiaj jutro bardzo więcej numer faktura sprawie nazywam się",
    "mieszkam adres adresu zmianę telefon umowa umowy klient klienta kwota kwoty pytanie urlop kadr pozdrawiam",
    "pozdrowienia szanowny szanowna szanowni państwo poniedziałek wtorek środa czwartek piątek sobota niedziela",
    "stycznia lutego marca kwietnia maja czerwca lipca sierpnia września października listopada grudnia",
)
_WORD = re.compile(r"[^\W\d_]+")


_FIRST_NAME_BITS = 0b11  # of the tagger's lexicon
_TITLES = words(
    "herr herrn frau madame monsieur señor señora signor signora senhor senhora meneer mevrouw pan pani fru"
)
_PARTICLES = words("de da di du des del der den van von la le las los el al ter ten zu zum e y i")


def _plain(word: str, lexicon: dict[str, int]) -> bool:
    low = word.lower()
    return low in EVERYDAY and (word.islower() or (len(word) > 3 and not lexicon.get(low, 0) & _FIRST_NAME_BITS))


def _counted(stretch: str) -> bool:
    """Whether a number stands in it, as of a house."""
    return any(c.isdigit() for c in stretch)


def _goes(word: str, firm: bool) -> bool:
    """Whether a plain word in front of a name is no part of it, as titles are."""
    return word not in _PARTICLES and (word.islower() or not (firm or word.lower() in _TITLES))


def without_everyday_ends(
    text: str, start: int, end: int, lexicon: dict[str, int], *, firm: bool = False
) -> tuple[int, int]:
    """The stretch less the small everyday words at its ends; an empty one when nothing else is in it.

    firm: the stretch is a firm's name, whose first word may be any, with a capital.
    With a capital, as German nouns and the beginnings of sentences have it, a word that is also a first name is a name.
    """
    found = list(_WORD.finditer(text, start, end))
    plain = [_plain(match.group(), lexicon) for match in found]
    # "Le rendez-vous", "Wie wird": a short word with a capital that opens a sentence.
    if len(plain) > 1 and plain[1] and found[1].group().islower() and found[0].group().lower() in EVERYDAY:
        plain[0] = plain[0] or found[1].group() not in _PARTICLES
    if not any(plain):
        return start, end
    if all(plain):
        return (start, end) if any(c.isdigit() for c in text[start:end]) else (start, start)
    while plain and plain[0] and _goes(found[0].group(), firm) and not _counted(text[start : found[1].start()]):
        found, plain = found[1:], plain[1:]
        start = found[0].start()
    while plain and plain[-1] and found[-1].group().islower() and text[found[-1].end() : end].strip() == "":
        found, plain = found[:-1], plain[:-1]
        end = found[-1].end()
    return start, end
