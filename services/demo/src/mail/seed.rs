//! Mails that are there from the start: a plain one, one with a file, a broken one.

pub(super) const MAILS: &[&str] = &[
    "From: Demo <demo@example.test>\r\nTo: you@example.test\r\nMessage-ID: <welcome@example.test>\r\n\
     Date: Sun, 01 Nov 2026 09:00:00 +0000\r\nSubject: Welcome\r\n\r\n\
     This mailbox shows every mail that demo-mail takes.\r\n",
    "From: Ann <ann@example.test>\r\nTo: you@example.test\r\nMessage-ID: <order-17@example.test>\r\n\
     Date: Sun, 01 Nov 2026 10:00:00 +0000\r\nSubject: Order 17\r\nMIME-Version: 1.0\r\n\
     Content-Type: multipart/mixed; boundary=\"part\"\r\n\r\n\
     --part\r\nContent-Type: text/plain\r\n\r\nThe order is attached.\r\n\
     --part\r\nContent-Type: text/csv\r\nContent-Disposition: attachment; filename=\"order-17.csv\"\r\n\r\n\
     item,count\r\nbolt,4\r\n--part--\r\n",
    "From: broken@example.test\r\nTo: you@example.test\r\nSubject: =?utf-8?B?no base64\r\n\
     Content-Type: multipart/mixed; boundary=\"never\"\r\nContent-Transfer-Encoding: base64\r\n\r\n\
     !!! no part begins and nothing ends\r\n",
];
