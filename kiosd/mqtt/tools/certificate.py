"""When a certificate that was not accepted is valid: for its dates alone, so this reads just enough of its DER.

RFC 5280 section 4.1: Certificate ::= SEQUENCE { tbsCertificate SEQUENCE { [0] version OPTIONAL, serial, algorithm, issuer, validity
SEQUENCE { notBefore, notAfter }, ... } ... }; times are UTCTime (YYMMDDhhmmssZ) or GeneralizedTime (YYYYMMDDhhmmssZ).
"""

from datetime import UTC, datetime

SEQUENCE, VERSION, UTC_TIME = 0x30, 0xA0, 0x17
BEFORE_VALIDITY = 3  # serial, algorithm, issuer


def _element(der: bytes, at: int) -> tuple[int, int, int]:
    """Tag, begin and end of the content of the element at ``at``."""
    tag, length, at = der[at], der[at + 1], at + 2
    if length & 0x80:  # the long form: so many bytes of length follow
        size = length & 0x7F
        length, at = int.from_bytes(der[at : at + size]), at + size
    return tag, at, at + length


def _time(der: bytes, at: int) -> tuple[datetime, int]:
    tag, begin, end = _element(der, at)
    text = der[begin:end].decode("ascii")
    if tag == UTC_TIME:  # RFC 5280: a year below 50 is of this century
        text = ("20" if int(text[:2]) < 50 else "19") + text
    return datetime.strptime(text, "%Y%m%d%H%M%SZ").replace(tzinfo=UTC), end


def validity(der: bytes) -> tuple[datetime, datetime]:
    """First and last moment at which the certificate ``der`` is valid; ``ValueError`` when that cannot be read."""
    try:
        at = _element(der, _element(der, 0)[1])[1]
        if der[at] == VERSION:
            at = _element(der, at)[2]
        for _ in range(BEFORE_VALIDITY):
            at = _element(der, at)[2]
        not_before, at = _time(der, _element(der, at)[1])
        return not_before, _time(der, at)[0]
    except (IndexError, ValueError):
        raise ValueError("no certificate") from None
