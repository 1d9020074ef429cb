<%@ page contentType="text/plain; charset=UTF-8" pageEncoding="UTF-8" %>
<% for (String c : new String[] {"EUC-JP", "Shift_JIS", "KOI8-R", "GB18030", "Big5", "ISO-2022-KR", "IBM037", "x-windows-874"}) out.println(c + " " + new java.math.BigInteger(1, "a日é".getBytes(c)).toString(16)); %>
