package import Model

extension Instant {
    /// `YYYYMMDDTHHMMSSZ`, the form of `x-amz-date`.
    package var signingTime: String {
        let time = CivilTime(self)
        return "\(padded(time.year, 4))\(padded(time.month, 2))\(padded(time.day, 2))"
            + "T\(padded(time.hour, 2))\(padded(time.minute, 2))\(padded(time.second, 2))Z"
    }

    /// Parses the form of `x-amz-date`; `nil` for any other.
    package init?(signingTime text: some StringProtocol) {
        let bytes = Array(text.utf8)
        guard bytes.count == 16, bytes[8] == UInt8(ascii: "T"), bytes[15] == UInt8(ascii: "Z") else { return nil }
        func number(_ range: Range<Int>) -> Int? {
            bytes[range].reduce(Int?(0)) { number, byte in
                guard let number, (0x30...0x39).contains(byte) else { return nil }
                return number * 10 + Int(byte - 0x30)
            }
        }
        guard let year = number(0..<4), let month = number(4..<6), let day = number(6..<8), let hour = number(9..<11),
            let minute = number(11..<13), let second = number(13..<15),
            let instant = CivilTime(year: year, month: month, day: day, hour: hour, minute: minute, second: second)
                .instant
        else { return nil }
        self = instant
    }
}
