/**
 * The certificate of a receiver on this machine, signed by nobody but itself: for `hooks.example.com`, from 2020 to 2120.
 * Its key is no secret.
 */

export const CERTIFIED_HOST = 'hooks.example.com';

export const KEY = `-----BEGIN PRIVATE KEY-----
MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQghf9b8PBa0W2Ovl4C
u6vze9mdI5i4VlLVf/9aOW9YRT6hRANCAAR++JPYYp5nJ4WZuIx6kSdhoVlUMhh/
IEx/gO92+oIQ5HHYSfYybSjZDtavLyBVBY+w4XVzeJI62fRf3Lo+WIfe
-----END PRIVATE KEY-----
`;

export const CERTIFICATE = `-----BEGIN CERTIFICATE-----
MIIBeDCCAR+gAwIBAgIBATAKBggqhkjOPQQDAjAcMRowGAYDVQQDDBFob29rcy5l
eGFtcGxlLmNvbTAgFw0yMDAxMDEwMDAwMDBaGA8yMTIwMDEwMTAwMDAwMFowHDEa
MBgGA1UEAwwRaG9va3MuZXhhbXBsZS5jb20wWTATBgcqhkjOPQIBBggqhkjOPQMB
BwNCAAR++JPYYp5nJ4WZuIx6kSdhoVlUMhh/IEx/gO92+oIQ5HHYSfYybSjZDtav
LyBVBY+w4XVzeJI62fRf3Lo+WIfeo1AwTjAPBgNVHRMBAf8EBTADAQH/MBwGA1Ud
EQQVMBOCEWhvb2tzLmV4YW1wbGUuY29tMB0GA1UdDgQWBBQLrsFUPxVUHnxAqhmN
z7FeS11AGjAKBggqhkjOPQQDAgNHADBEAiAC25fq5beHSeUtH+NQf6AR6/xuafJ0
uAdAQqfatsCBiQIgZYAjtwqjWDyDVaHdXSFA8mBcTgjxInKK66ipOFejAVY=
-----END CERTIFICATE-----
`;
