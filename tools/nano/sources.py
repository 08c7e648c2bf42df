"""The Debian packages that the corpus of ringlet-nano is made of.

`group` decides the folder, so that a training run can weight it: `prose` (books and essays),
`reference` (dictionaries), `technical` (manuals). `strict` is False where a file holds nothing but
prose. Licences are those of the texts that are used, read in each package's copyright file; all of
them allow use and redistribution of what is made from the text.
"""

import dataclasses


@dataclasses.dataclass(frozen=True)
class Source:
    """Some files of one package."""

    package: str
    group: str
    kind: str
    licence: str
    what: str
    files: tuple[str, ...]
    strict: bool = True
    needs: tuple[str, ...] = ()
    without: str = r"(?!)"  # paths that match are left out


DOC = "usr/share/doc/"
SWORD = "usr/share/sword/modules/"

SOURCES = (
    Source("r-cran-janeaustenr", "prose", "rdb", "public domain", "six novels of Jane Austen",
           ("usr/lib/R/site-library/janeaustenr/data/Rdata.rdb",), strict=False),
    Source("r-cran-tokenizers", "prose", "rdb", "public domain", "Melville, Moby-Dick",
           ("usr/lib/R/site-library/tokenizers/data/Rdata.rdb",), strict=False),
    Source("golang-1.19-src", "prose", "plain", "public domain", "Newton, Opticks",
           ("usr/share/go-1.19/src/testdata/Isaac.Newton-Opticks.txt",)),
    Source("bible-kjv-text", "prose", "bible", "public domain", "King James Bible",
           ("usr/lib/bible.data",), strict=False, needs=("bible-kjv",)),
    Source("sword-comm-mhcc", "prose", "sword", "public domain",
           "Matthew Henry's concise commentary", (SWORD + "comments/zcom/mhcc/*.bzz",)),
    Source("anarchism", "prose", "markdown", "GPL-2+", "essays on political theory",
           (DOC + "anarchism/markdown/*",)),
    Source("dict-devil", "prose", "plain", "public domain", "Bierce, The Devil's Dictionary",
           ("usr/share/dictd/devil.dict.dz",), strict=False),
    Source("miscfiles", "prose", "plain", "public domain", "declarations and constitutions",
           ("usr/share/state/*",)),
    Source("fortunes", "prose", "fortunes", "BSD and public domain", "sayings and anecdotes",
           ("usr/share/games/fortunes/*",),
           without=r"\.(dat|u8)$|/(zippy|songs-poems|ascii-art|translate-me|knghtbrd)"),
    Source("dict-gcide", "reference", "gcide", "GPL-3+ (Webster 1913: public domain)",
           "definitions", ("usr/share/dictd/gcide.dict.dz",)),
    Source("wordnet-base", "reference", "wordnet", "WordNet 3.0 licence (BSD-like)", "glosses",
           tuple(f"usr/share/wordnet/data.{part}" for part in ("noun", "verb", "adj", "adv"))),
    Source("dict-foldoc", "reference", "foldoc", "GFDL-1.3+", "computing dictionary",
           ("usr/share/dictd/foldoc.dict.dz",)),
    Source("jargon-text", "reference", "jargon", "public domain", "the Jargon File",
           (DOC + "jargon-text/jargon.txt.gz",)),
    Source("debian-handbook", "technical", "html", "GPL-2+ or CC-BY-SA-3.0", "handbook",
           (DOC + "debian-handbook/html/en-US/*.html",)),
    Source("debian-reference-en", "technical", "html", "GPL-2+", "reference",
           ("usr/share/debian-reference/*.en.html",)),
    Source("developers-reference", "technical", "rst", "GPL-2+", "reference",
           ("usr/share/developers-reference/_sources/*.rst.txt",)),
    Source("debian-policy", "technical", "html", "GPL-2+", "policy",
           (DOC + "debian-policy/policy.html/*.html", DOC + "debian-policy/fhs/*.html")),
    Source("maint-guide", "technical", "html", "GPL-2+", "guide",
           (DOC + "maint-guide/html/*.en.html",)),
    Source("harden-doc", "technical", "html", "GPL-2+", "securing Debian",
           (DOC + "harden-doc/html/en-US/*.html", DOC + "harden-doc/html/*.html")),
    Source("debian-faq", "technical", "html", "GPL-2+", "questions and answers",
           (DOC + "debian/FAQ/*.en.html",)),
    Source("debian-history", "technical", "html", "GPL-2+", "history of Debian",
           (DOC + "debian-history/docs/*.en.html",)),
    Source("aptitude-doc-en", "technical", "html", "GPL-2+", "manual",
           (DOC + "aptitude/html/en/*.html",)),
    Source("gnome-user-docs", "technical", "html", "CC-BY-SA-3.0", "help of the desktop",
           ("usr/share/help/C/*/*.page",)),
    Source("sqlite3-doc", "technical", "html", "public domain", "documentation",
           (DOC + "sqlite3/**/*.html",)),
    Source("git-doc", "technical", "html", "GPL-2", "documentation",
           (DOC + "git-doc/**/*.html",)),
    Source("apache2-doc", "technical", "html", "Apache-2.0", "documentation",
           (DOC + "apache2-doc/manual/en/**/*.html",)),
    Source("postgresql-doc-15", "technical", "html", "PostgreSQL licence (BSD-like)",
           "documentation", (DOC + "postgresql-doc-15/html/*.html",)),
    Source("python3.11-doc", "technical", "rst", "PSF-2", "documentation",
           (DOC + "python3.11/html/_sources/**/*.rst.txt",)),
    Source("perl-doc", "technical", "pod", "GPL-1+ or Artistic", "documentation",
           ("usr/share/perl/5.36.0/pod/*.pod", "usr/share/perl/*/**/*.pod"),
           without=r"perl5\d+delta|perltoc|(jp|ko|cn|tw)\.pod$"),
    Source("linux-doc-6.1", "technical", "rst", "GPL-2", "documentation of the kernel",
           (DOC + "linux-doc-6.1/Documentation/**/*.rst.gz",
            DOC + "linux-doc-6.1/Documentation/**/*.rst"), without=r"/translations/"),
    Source("manpages", "technical", "man", "GPL-2+, BSD and MIT-like", "manual pages",
           ("usr/share/man/man[1-8]/*.gz",)),
    Source("manpages-dev", "technical", "man", "GPL-2+, BSD and MIT-like", "manual pages",
           ("usr/share/man/man[1-8]/*.gz",)),
)
