//! What may stand at the positions of the leader and of coded fields; how a line is read is in `fixed.rs`. MARC21 after
//! loc.gov/marc/bibliographic with the obsolete codes that old records hold, CNMARC after 新版中国机读目录格式使用手册.

pub(super) const MARC21: &str = "\
leader * 5 E acdnp status
leader * 6 E acdefgijkmoprt type
leader * 7 E abcdims level
leader * 8 W #a control
leader * 9 E #a coding
leader * 17 W #1234578uzIJKLM encoding level
leader * 18 W #aciNnu cataloguing form
leader * 19 W #abcr multipart level
001 * len W 1-64 control number
005 * len W 16 last change
005 * 0-13 W @digits year to second of the last change
006 * len E 18 additional material
006 * 0 E acdefgijkmoprst form of material
007 * 0 E acdfghkmoqrstvz category
007 a len W 8 map
007 c len W 6-14 electronic resource
007 d len W 6 globe
007 f len W 10 tactile material
007 g len W 9 projected graphic
007 h len W 10-13 microform
007 k len W 6 picture
007 m len W 8-23 film
007 o len W 2 kit
007 q len W 2 notated music
007 r len W 11 remote-sensing image
007 s len W 14 sound recording
007 t len W 2 text
007 v len W 9 video
007 z len W 2 unspecified
008 * len E 40 fixed-length data
008 * 0-5 E @digits the date it was entered
008 * 6 E bcdeikmnpqrstu| date type
008 * 7-10 E @year year
008 * 11-14 W @year second year
008 * 15-17 W @code place of publication
008 * 35-37 E @code language
008 * 38 W #dorsx| modified record
008 * 39 W #abcdnu| source
008 B 18-21 W #abcdefghijklmop| illustrations
008 B 22 W #abcdefgjuv| audience
008 B 23 W #abcdfoqrsghipxz| form of item
008 B 24-27 W #abcdefgijklmnopqrstuvwyz256| nature of contents
008 B 28 W #acfilmosuzn| government publication
008 B 29 W 01#| conference publication
008 B 30 W 01#| festschrift
008 B 31 W 01#| index
008 B 33 W 01cdefhijmpsu#a| literary form
008 B 34 W #abcd| biography
008 S 18 W #abcdefghijkmqstuwz| frequency
008 S 19 W nrux#| regularity
008 S 21 W #dghjlmnprstw| type of continuing resource
008 S 22 W #abcdefoqrsghipxz| form of original
008 S 23 W #abcdfoqrsghipxz| form of item
008 S 28 W #acfilmosuzn| government publication
008 S 29 W 01#| conference publication
008 S 33 W #abcdefghijkluz| script of title
008 S 34 W 012#| entry convention
008 M 18-19 W abcdefghijklmnopqrstuvwyzx#| form of composition
008 M 20 W abcdeghijklmnpuz#| format of music
008 M 21 W #defnu| music parts
008 M 22 W #abcdefgj| audience
008 M 23 W #abcdfoqrsghipxz| form of item
008 M 24-29 W #abcdefghiklmrsz| accompanying matter
008 M 30-31 W #abcdefghijklmnoprstz| literary text
008 M 33 W #abcnu| transposition
008 C 22-23 W #abcdefghjklmnoprsuz| projection
008 C 25 W abcdefguz#| type of map
008 C 28 W #acfilmosuzn| government publication
008 C 29 W #abcdfoqrsghipxz| form of item
008 C 31 W 01#| index
008 V 18-20 W #n-0123456789| running time
008 V 22 W #abcdefgj| audience
008 V 28 W #acfilmosuzn| government publication
008 V 29 W #abcdoqrsghipxz0| form of item
008 V 33 W #abcdfgiklmnopqrstvwz| type of visual material
008 V 34 W aclnuz#| technique
008 F 22 W #abcdefgj| audience
008 F 23 W #oqghipxz| form of item
008 F 26 W abcdefghijmuz#| type of file
008 F 28 W #acfilmosuzn| government publication
008 X 23 W #abcdfoqrsghipxz| form of item
";

pub(super) const CNMARC: &str = "\
leader * 5 E cdnop status
leader * 6 E abcdefgijklmr type
leader * 7 E aimsc level
leader * 8 W #012 hierarchical level
leader * 17 W #123 encoding level
leader * 18 W #inx descriptive form
001 * len W 1-64 control number
005 * len W 16 last change
005 * 0-13 W @digits year to second of the last change
100a * len E 36 general processing data
100a * 0-7 E @digits the date it was entered
100a * 8 E abcdefghijku date type
100a * 9-12 E @year year
100a * 13-16 W @year second year
100a * 17-19 W #abcdekmu| audience
100a * 20 W abcdefghuyz#| government publication
100a * 21 W 01#| modified record
100a * 22-24 W @code language of cataloguing
100a * 25 W abcdefgy#| transliteration
100a * 26-29 W #0123456789| character sets
100a * 30-33 W #0123456789| further character sets
100a * 34-35 W @code script of title
105a * len W 13 coded data of books
105a * 0-3 W #abcdefghijklmy| illustrations
105a * 4-7 W #abcdefghijklmnopqrstuvwz2345679| form of contents
105a * 8 W 01#| conference
105a * 9 W 01#| festschrift
105a * 10 W 01#| index
105a * 11 W abcdefghyz#| literature
105a * 12 W abcdy#| biography
106a * len W 1 form of item
106a * 0 W defghijrsz#| physical medium
110a * len W 11 coded data of serials
110a * 0 W abcefghyz#| type of serial
110a * 1 W abcdefghijklmnopqruyz#| frequency
110a * 2 W abuy#| regularity
110a * 8 W 01#| conference
115a * len W 20 coded data of visual projections
115b * len W 15 coded data of archival films
116a * len W 18 coded data of graphics
117a * len W 9 coded data of objects
120a * len W 13 coded data of maps
121a * len W 9 physical attributes of maps
121b * len W 8 aerial photography
125a * len W 2 form of recording and text
126a * len W 15 coded data of sound recordings
126b * len W 3 further coded data of sound recordings
130a * len W 11 coded data of microforms
135a * len W 13 coded data of electronic resources
140a * len W 28 coded data of old books
141a * len W 8 copy-specific data of old books
";
