<%@ page contentType="text/plain; charset=UTF-8" pageEncoding="UTF-8" %>
<%@ page import="java.time.*" %><%= ZonedDateTime.of(2021, 7, 1, 12, 0, 0, 0, ZoneId.of("Pacific/Chatham")) %> <%= ZoneId.systemDefault() %> <%= ZoneId.getAvailableZoneIds().size() > 500 %>
