%w[Shift_JIS EUC-KR KOI8-R ISO-2022-JP UTF-16LE GB18030 IBM850].map { |name| "\u0416".encode(name, undef: :replace).bytesize }.join(' ')
