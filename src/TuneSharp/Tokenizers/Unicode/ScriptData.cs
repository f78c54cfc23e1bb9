namespace TuneSharp.Tokenizers;

// Written by eng/make-script-tables.js from Unicode 17.0; do not edit.
internal static class ScriptData
{
    internal static readonly string[] Names =
    [
        "Adlam", "Ahom", "Anatolian_Hieroglyphs", "Arabic", "Armenian", "Avestan", "Balinese", "Bamum",
        "Bassa_Vah", "Batak", "Bengali", "Bhaiksuki", "Bopomofo", "Brahmi", "Braille", "Buginese", "Buhid",
        "Canadian_Aboriginal", "Carian", "Caucasian_Albanian", "Chakma", "Cham", "Cherokee", "Chorasmian",
        "Common", "Coptic", "Cuneiform", "Cypriot", "Cypro_Minoan", "Cyrillic", "Deseret", "Devanagari",
        "Dives_Akuru", "Dogra", "Duployan", "Egyptian_Hieroglyphs", "Elbasan", "Elymaic", "Ethiopic",
        "Georgian", "Glagolitic", "Gothic", "Grantha", "Greek", "Gujarati", "Gunjala_Gondi", "Gurmukhi", "Han",
        "Hangul", "Hanifi_Rohingya", "Hanunoo", "Hatran", "Hebrew", "Hiragana", "Imperial_Aramaic",
        "Inherited", "Inscriptional_Pahlavi", "Inscriptional_Parthian", "Javanese", "Kaithi", "Kannada",
        "Katakana", "Kawi", "Kayah_Li", "Kharoshthi", "Khitan_Small_Script", "Khmer", "Khojki", "Khudawadi",
        "Lao", "Latin", "Lepcha", "Limbu", "Linear_A", "Linear_B", "Lisu", "Lycian", "Lydian", "Mahajani",
        "Makasar", "Malayalam", "Mandaic", "Manichaean", "Marchen", "Masaram_Gondi", "Medefaidrin",
        "Meetei_Mayek", "Mende_Kikakui", "Meroitic_Cursive", "Meroitic_Hieroglyphs", "Miao", "Modi",
        "Mongolian", "Mro", "Multani", "Myanmar", "Nabataean", "Nag_Mundari", "Nandinagari", "New_Tai_Lue",
        "Newa", "Nko", "Nushu", "Nyiakeng_Puachue_Hmong", "Ogham", "Ol_Chiki", "Old_Hungarian", "Old_Italic",
        "Old_North_Arabian", "Old_Permic", "Old_Persian", "Old_Sogdian", "Old_South_Arabian", "Old_Turkic",
        "Old_Uyghur", "Oriya", "Osage", "Osmanya", "Pahawh_Hmong", "Palmyrene", "Pau_Cin_Hau", "Phags_Pa",
        "Phoenician", "Psalter_Pahlavi", "Rejang", "Runic", "Samaritan", "Saurashtra", "Sharada", "Shavian",
        "Siddham", "SignWriting", "Sinhala", "Sogdian", "Sora_Sompeng", "Soyombo", "Sundanese", "Syloti_Nagri",
        "Syriac", "Tagalog", "Tagbanwa", "Tai_Le", "Tai_Tham", "Tai_Viet", "Takri", "Tamil", "Tangsa",
        "Tangut", "Telugu", "Thaana", "Thai", "Tibetan", "Tifinagh", "Tirhuta", "Toto", "Ugaritic", "Vai",
        "Vithkuqi", "Wancho", "Warang_Citi", "Yezidi", "Yi", "Zanabazar_Square",
    ];

    internal const string Deflated =
        "fVZZkFxVGf6+/5y79zJbevL3zPT0TJLpmXT3TE+Smdws08lkYG7CsAUIIUAWJCwCCspIlEUGyBghYQsgISCbFKWWZWmVpcUbWlo+qFU8KKWWD5YP" +
        "PlI+WD5Jld5LEym0fPi+//uXe6rrntvfOfNaTlwtJ1PKpKhMHO1PqMMJ9acmqamTOCr5Pr0ntg2qaQjSyIYFs5jWmGr0NYhdjUK5q7HKisTfYYUY" +
        "cwSbHIFxiK0zPgZmLNyZCI6lupZasFRjqVVLDW0Uly3juyx11BZOk9h5mgJzmi276RssYMetAnPr5MOC4sPE4FUCXkVEp+lg1DpYstQhu79q42JV" +
        "tFy1EeFHAokEpYjwIoKRgY0EQaduIx+MLCQinEigkcBMEe6UhUwJSlOEN0XIBQg4RTidvpky4JQHO8Usdk+FME0iaDKLpSbhNQlpEk5TEHbqpilg" +
        "swjbFOSaXjZjlgl/WSDLgtIy4S0Tskw4y4KgUzfLHsyyvVDvWQ4hZ0m4Z2lgUmVTldWYknTSrGuQO0sL55PDks65KRWw5iwd5F8gYVLqT6nrBQqC" +
        "CzX7Aj3IhVTSrk0pTBvBC8zPEWaO6J8jwjnCmRMEnZqd8yBzTkdL1jdzOeT3E2Y/sbkT3f0WXfsF5TRfJdGzSoO1qQpS4ioFXlrjKi3cTo3wV+ki" +
        "TLtmlTlsf5EW1MEXuQGySHCRcBaJtR3dvyhZnmpvkQgXBXaxir3nSKw/R4taRxHFlLxztCrnuAGv89jYOMFxBxwX1MepdnxFpvfVCFsTeDWCHT3R" +
        "iSP/o1esEds6eqEmqNYMyjUX1/YL3H7BitMz9FmDpa8ajb7qoXSGAXiGazaLBujrziH/ZLoXKcmTzOHIgiBccDPIYVEepvYddnHosIf6YQeLPSGG" +
        "9xG5fTYD9xnk9lWeosB5ihEaxy3Kx11Exw3keHVhsEsgXbueJjH0NAXR0+kbTqmQppOxIBf34TKP2OTtfpxbQh82jPcaFPcamL2tO6KKg/q4wIz7" +
        "j9OHian5mOrFVhm7ytioxFQHY4nTYGU6cRo2cRr5hJXFhI3d8YokpYbAbQjGOtHvmM7HGG4IZhpEsUEUshmityFIzSloEDmV+KASkTKRjItK5BOD" +
        "US1gJC5iTNkwKomrTAaUSbdOJEYtzjtaQqRr8LqnK1L8u1XBE9RjE9VkuezAK3/yK4hfSv8cL7EAvsT+WpDt9P9DtXJER1FuEYdaObzPVhlrlC0q" +
        "W6pBy8Yy7attWSWunRVILGpmqde3RU3bQT1PHJkmurSaH9MA1K728DSxW4en9+tUm3pd+9vUdze3duvKW2w9GbxJg61vMkDr0u/JN9mHY5XrfB+j" +
        "emti9KqkD8Wk+QQNQnUR3+9jcYU+cit0Ua1O7qZy9/qHIvChoWmDy3cQ1HCHhewYPkZsLQUolARhSWBL1WMLz3AtnGfYfzCEW5MO/vNS6gk1SNiw" +
        "iajFlf2TBwXhQRdvHZzOoX/aYnr65B58IC3BHa0xeEkOjuOgPEM4MwRnCOkgnPnAWNFnaKvosl1x+vMLsVTWKdGrhFWbHjo4RSugEtXOsRdp2KY2" +
        "26LD0wbutFyAmTbwlPA0hKOC3BJRXiJ6lwhZIopLgsLSKB5YcpB+KE01CPSKBpFXAzam0FTGjxJDlxlM9xbBeEAt1t8VwNw1sNFB/fMOKq+kzvUK" +
        "199tUbh7I64cbj3Kyn2C8D4X679kM4xv8LGlLwL7oldTI0rJS0lS+u/aAn4ilwQoXRLCv2Qt3ITYmBBBcjHcQQEHicYgIYMGzPLSViLYWv3y8E0+" +
        "gpta6N1CyBYHzpbBBwz4QPlyB7x8N6rXrz1k0XdIMHnIzhMy78CfJ8w8MTQvMPMW4byHYN5D9QvVz1VRu9oid3WAWdfAc0vbBf723m0O/G09D3qw" +
        "D+bgPXgl9n1xKzbfmcfmOz24d45v8hFuelswbImNb6Tu9gYF8ga74FofgR2Ba8fv8bHxayyhfO8YBtf2oX8swOUFi/WFACws7AzBnQI9RQ/hKbqY" +
        "WUP0rPFRuyLAsUdI9K0yQs9FxNRFbXhHCR4l7FGieJSIjrrYcbGD8GIXtk74dYHUBaU64dUJqRNOnWAcdDqmLmDdBesOvLrAqxs49dPEjbcQzi0V" +
        "7D1PH+F5vk3MPkbB2GMcxcU3RghvdJE/3Ivtz6bWmlLfsUEMiKAoFv3yDrFz9Diufp058HV6IwKOCPwRQkaIShYFuZEA4cgi/JsFkzcLopsHsPdb" +
        "9HH115lHV8+2r3gIq9fCf4TniCBHNHNEIRdiKGdQvUZQuoYoXLMP3gFCDhCNAwbs6OCAj/CAC3eSkEliQye6kx7CyR8L9EoP3buIiV0GQ7sOgJcW" +
        "seks8+nN4rw3cCvuHiCcgQg/58Cv+3DzUB7v++tDvDy83sEvrXlnAe9Y38PwESI8YiFHrniORPgcXVQCgRuEWDwRIjxBeCeINScc9J74gYMbrr0F" +
        "SzdYbLvBQ/cNu8HnydukxT0RvFaAldnn+b7ZMwHuGX6eN+He5/nhAmyb8NqEtAm2X5NZ0y6Cs0MwswK2C7BtH2fMbSd7cOc6B/l1BsE6D+E6gV1n" +
        "9U8VfEg1+JFRF/1aRLcWs7OwPw6wrDvxD2qImgraauJu9WNRL66ojed0DRYb96NPcxkOagDVU8QBJRIlRFOHkiymvp9TZo6VetF8ZmUCv5MPZjnh" +
        "ZDMf+dVv0wffSmmTnnFOsgjnZOoQJ/mej+HEhZv8jvAmiO4JyaJMEM6Eg3ZlBKzcg+btBoXbBeHtFnL7u4Lhl9mN7a/RAV/jewYbP/NXJ3NwWyOk" +
        "xuwS8wteJ+i6bgKX0iKkhfBZFxfppZjTnxHWEgOWEEtkJmyJ0H5UZwYXtLajP4L51Pyn8XEvXcPrrPXxeuna3dbJ1nAyvQVinxI01OK45lBUQXoJ" +
        "SLFBQ3yfGqOsnBXNZ0OB/vss1wJcPU/8wVODbjWZuf+R6iKn6dWymMVY/ezEHFcflfSsUJs9GmgNvxf1UVDJnozUYFu2WRZdncFQPTyX7vBtuurj" +
        "z7+RVhWvjrYETzVbgh9ubxXxgW292YtXbesvEX411nLw3T2tUy/WQa3gmK4Qf2P8zD8j/As=";
}
