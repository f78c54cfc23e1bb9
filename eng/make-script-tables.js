// Writes src/TuneSharp/Tokenizers/Unicode/ScriptData.cs: runs of (length, script; 0 is none), numbers seven bits a byte,
// deflated, in base64. Source: the engine's own Unicode data. Run from the repository root: node eng/make-script-tables.js
const names = `Adlam Ahom Anatolian_Hieroglyphs Arabic Armenian Avestan Balinese Bamum Bassa_Vah Batak Bengali Bhaiksuki Bopomofo Brahmi Braille Buginese Buhid Canadian_Aboriginal Carian Caucasian_Albanian Chakma Cham Cherokee Chorasmian Common Coptic Cuneiform Cypriot Cypro_Minoan Cyrillic Deseret Devanagari Dives_Akuru Dogra Duployan Egyptian_Hieroglyphs Elbasan Elymaic Ethiopic Georgian Glagolitic Gothic Grantha Greek Gujarati Gunjala_Gondi Gurmukhi Han Hangul Hanifi_Rohingya Hanunoo Hatran Hebrew Hiragana Imperial_Aramaic Inherited Inscriptional_Pahlavi Inscriptional_Parthian Javanese Kaithi Kannada Katakana Kawi Kayah_Li Kharoshthi Khitan_Small_Script Khmer Khojki Khudawadi Lao Latin Lepcha Limbu Linear_A Linear_B Lisu Lycian Lydian Mahajani Makasar Malayalam Mandaic Manichaean Marchen Masaram_Gondi Medefaidrin Meetei_Mayek Mende_Kikakui Meroitic_Cursive Meroitic_Hieroglyphs Miao Modi Mongolian Mro Multani Myanmar Nabataean Nag_Mundari Nandinagari New_Tai_Lue Newa Nko Nushu Nyiakeng_Puachue_Hmong Ogham Ol_Chiki Old_Hungarian Old_Italic Old_North_Arabian Old_Permic Old_Persian Old_Sogdian Old_South_Arabian Old_Turkic Old_Uyghur Oriya Osage Osmanya Pahawh_Hmong Palmyrene Pau_Cin_Hau Phags_Pa Phoenician Psalter_Pahlavi Rejang Runic Samaritan Saurashtra Sharada Shavian Siddham SignWriting Sinhala Sogdian Sora_Sompeng Soyombo Sundanese Syloti_Nagri Syriac Tagalog Tagbanwa Tai_Le Tai_Tham Tai_Viet Takri Tamil Tangsa Tangut Telugu Thaana Thai Tibetan Tifinagh Tirhuta Toto Ugaritic Vai Vithkuqi Wancho Warang_Citi Yezidi Yi Zanabazar_Square`.split(' ');
const table = new Uint8Array(0x110000);
names.forEach((n, i) => { const r = new RegExp(`\\p{Script=${n}}`, 'u'); for (let c = 0; c < 0x110000; c++) { if (c >= 0xD800 && c < 0xE000) continue; if (!table[c] && r.test(String.fromCodePoint(c))) table[c] = i + 1; } });
const out = [];
const put = n => { while (n >= 128) { out.push(n & 127 | 128); n >>= 7; } out.push(n); };
let start = 0;
for (let c = 1; c <= 0x110000; c++) if (c === 0x110000 || table[c] !== table[start]) { put(c - start); put(table[start]); start = c; }
const text = require('zlib').deflateRawSync(Buffer.from(out), { level: 9 }).toString('base64');
const lines = text.match(/.{1,112}/g);
const rows = []; let row = '';
for (const n of names) { if ((row + n).length > 100) { rows.push(row.trimEnd()); row = ''; } row += `"${n}", `; }
rows.push(row.trimEnd());
require('fs').writeFileSync('src/TuneSharp/Tokenizers/Unicode/ScriptData.cs', `namespace TuneSharp.Tokenizers;

// Written by eng/make-script-tables.js from Unicode ${process.versions.unicode}; do not edit.
internal static class ScriptData
{
    internal static readonly string[] Names =
    [
${rows.map(r => '        ' + r).join('\n')}
    ];

    internal const string Deflated =
${lines.map((l, i) => `        "${l}"` + (i + 1 < lines.length ? ' +' : ';')).join('\n')}
}
`);
console.log(out.length, text.length, process.versions.unicode);
