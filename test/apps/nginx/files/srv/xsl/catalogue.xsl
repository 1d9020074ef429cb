<?xml version="1.0"?>
<xsl:stylesheet version="1.0" xmlns:xsl="http://www.w3.org/1999/XSL/Transform" xmlns:str="http://exslt.org/strings" extension-element-prefixes="str">
<xsl:output method="html" encoding="ISO-8859-1"/>
<xsl:template match="/"><ul><xsl:for-each select="//lamp"><xsl:sort select="@name"/><li><xsl:value-of select="@name"/>: <xsl:value-of select="format-number(@price, '#,##0.00')"/> <xsl:value-of select="str:padding(3, '*')"/></li></xsl:for-each></ul></xsl:template>
</xsl:stylesheet>
